// A picture from the camera.

import { Problem } from "./words.js";

const find = (id) => document.getElementById(id);

/** Whether there may be a camera: browsers hide it from pages that came without https. */
export function possible() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/** Shows what the camera sees; resolves to an ImageBitmap, or null where the user leaves. */
export async function picture() {
  const [dialog, video] = [find("camera"), find("video")];
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "user", width: { ideal: 1280 } },
    });
  } catch (error) {
    throw new Problem("camera", error.message);
  }
  try {
    video.srcObject = stream;
    dialog.showModal();
    return await chosen(dialog, video);
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    dialog.close();
  }
}

function chosen(dialog, video) {
  return new Promise((done, failed) => {
    find("camera_take").onclick = () =>
      createImageBitmap(video).then(done, () => failed(new Problem("camera")));
    find("camera_close").onclick = () => done(null);
    dialog.oncancel = () => done(null); // the key Escape
  });
}
