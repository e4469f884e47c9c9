"""Every kind of image file is read as people see it, or refused with a reason."""

import concurrent.futures
import io
import pickle
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.drawn_files import named_srgb_but_linear
from ugatit_tf import atomic
from ugatit_tf.images import image_array, image_file
from ugatit_tf.images.errors import UnreadableImage

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"]


def smooth(height, width):
    """An image that every codec keeps almost as it is."""
    y, x = np.mgrid[0:height, 0:width] * 4
    return np.stack([x, y, (x + y) // 2], -1).astype(np.uint8)


def saved(path, image, format="PNG", **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(path, format, **options)
    return path


def bytes_of(format, **options):
    buffer = io.BytesIO()
    Image.fromarray(smooth(40, 48)).save(buffer, format, **options)
    return buffer.getvalue()


def oriented(value):
    exif = Image.Exif()
    exif[image_file.ORIENTATION] = value
    return exif


def refusal(path):
    with pytest.raises(UnreadableImage) as caught:
        image_file.read(path)
    return caught.value.reason


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_format_is_recognized_by_its_content_under_any_name(tmp_path, format, channels):
    path = saved(tmp_path / "misnamed.xyz", smooth(40, 48), format)
    image = image_file.read(path, channels=channels)
    assert image.shape == (40, 48, channels)
    assert image.dtype == np.uint8
    expected = Image.fromarray(smooth(40, 48)).convert("RGB" if channels == 3 else "L")
    expected = np.asarray(expected, float).reshape(image.shape)
    assert np.abs(image - expected).mean() < 5  # GIF has 256 colors
    assert image_file.size(path) == (40, 48)


def test_an_image_of_a_format_that_is_not_supported_is_refused(tmp_path):
    path = saved(tmp_path / "a.png", smooth(4, 4), "PPM")
    assert refusal(path).startswith("not a JPEG, PNG, WebP, BMP, GIF or TIFF image")


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("1", 1, WHITE),
        ("L", 77, (77, 77, 77)),
        ("LA", (100, 0), WHITE),
        ("LA", (100, 255), (100, 100, 100)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("RGBA", (9, 9, 9, 0), WHITE),
        ("RGBA", (0, 100, 255, 51), (204, 224, 255)),  # a fifth of it, the rest white
        ("RGBA", (1, 2, 3, 255), (1, 2, 3)),
    ],
)
def test_a_mode_becomes_colors_on_white(tmp_path, mode, color, expected):
    path = saved(tmp_path / "a.png", Image.new(mode, (2, 3), color))
    np.testing.assert_array_equal(image_file.read(path), np.full([3, 2, 3], expected))


def test_transparent_palette_entries_become_white(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putdata([0, 1, 2])
    for transparency, second in ((None, GREEN), (1, WHITE), (b"\xff\x00\xff", WHITE)):
        options = {} if transparency is None else {"transparency": transparency}
        path = saved(tmp_path / "a.png", image, **options)
        np.testing.assert_array_equal(image_file.read(path), [[RED, second, BLUE]])


@pytest.mark.parametrize(("mode", "color"), [("L", 7), ("RGB", (7, 7, 7))])
def test_a_transparent_color_becomes_white(tmp_path, mode, color):
    path = saved(tmp_path / "a.png", Image.new(mode, (1, 1), color), transparency=color)
    np.testing.assert_array_equal(image_file.read(path), [[WHITE]])


def test_the_first_frame_of_an_animation_is_read(tmp_path):
    frames = [Image.new("RGB", (4, 4), color) for color in (RED, GREEN)]
    for format in ("GIF", "PNG", "TIFF"):
        path = saved(tmp_path / "a", frames[0], format, save_all=True, append_images=frames[1:])
        np.testing.assert_array_equal(image_file.read(path)[0, 0], RED)


@pytest.mark.parametrize(
    ("ink", "expected"),
    [((0, 0, 0, 0), WHITE), ((0, 0, 0, 255), (0, 0, 0)), ((0, 255, 255, 0), RED)],
)
def test_printers_colors_become_screen_colors(tmp_path, ink, expected):
    for format in ("JPEG", "TIFF"):  # Pillow writes the JPEG inverted, as Adobe does
        path = saved(tmp_path / "a", Image.new("CMYK", (8, 8), ink), format)
        np.testing.assert_allclose(image_file.read(path)[4, 4], expected, atol=2)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path, format):
    values = np.array([[0, 257, 25700, 65535]], np.uint16)
    path = saved(tmp_path / "a", values, format)
    np.testing.assert_array_equal(image_file.read(path, channels=1)[0, :, 0], [0, 1, 100, 255])


def test_sixteen_bits_with_the_high_byte_first_are_scaled(tmp_path):
    image = Image.frombytes("I;16B", (3, 1), struct.pack(">3H", 0, 25700, 65535))
    path = saved(tmp_path / "a", image, "TIFF")
    np.testing.assert_array_equal(image_file.read(path, channels=1)[0, :, 0], [0, 100, 255])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 257, 65535], [0, 1, 255]),
        ([-1000, 0, 1000], [0, 128, 255]),  # no convention: darkest to brightest
        ([-5, -5, -5], [0, 0, 0]),
    ],
)
def test_thirty_two_bits_are_scaled(tmp_path, values, expected):
    path = saved(tmp_path / "a", np.array([values], np.int32), "TIFF")
    np.testing.assert_array_equal(image_file.read(path, channels=1)[0, :, 0], expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.2, 1], [0, 51, 255]),
        ([0, 51, 200], [0, 51, 200]),
        ([-1, 0.2, 1], [0, 153, 255]),
        ([np.nan, np.inf, 1], [0, 0, 255]),
    ],
)
def test_floats_are_scaled_by_their_range(tmp_path, values, expected):
    path = saved(tmp_path / "a", np.array([values], np.float32), "TIFF")
    np.testing.assert_array_equal(image_file.read(path, channels=1)[0, :, 0], expected)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda image: image),
        (2, lambda image: image[:, ::-1]),
        (3, lambda image: image[::-1, ::-1]),
        (4, lambda image: image[::-1]),
        (5, lambda image: image.transpose(1, 0, 2)),
        (6, lambda image: np.rot90(image, -1)),
        (7, lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda image: np.rot90(image)),
    ],
)
def test_an_image_is_turned_upright(tmp_path, format, orientation, upright):
    path = saved(tmp_path / "a", smooth(16, 32), format, exif=oriented(orientation))
    expected = upright(smooth(16, 32))
    image = image_file.read(path)
    assert image.shape == expected.shape
    assert image_file.size(path) == expected.shape[:2]
    assert np.abs(image.astype(float) - expected).mean() < 4


def test_broken_metadata_neither_stops_nor_warns(tmp_path):
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x0e\x01\x02\0\xff\0\0\0\xff\xff\0\0"
    path = saved(tmp_path / "a.jpg", smooth(8, 8), "JPEG", exif=exif, icc_profile=b"broken")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert image_file.read(path).shape == (8, 8, 3)
        assert image_file.size(path) == (8, 8)
    assert caught == []


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_an_srgb_profile_changes_nothing(tmp_path, mode):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(smooth(8, 8)).convert(mode)
    plain, tagged = saved(tmp_path / "a", image), saved(tmp_path / "b", image, icc_profile=profile)
    np.testing.assert_array_equal(image_file.read(tagged), image_file.read(plain))


@pytest.mark.parametrize(("mode", "black"), [("L", 128), ("RGB", (128,) * 3), ("LA", (128, 255))])
def test_an_embedded_profile_is_converted_to_srgb(tmp_path, mode, black):
    profile = linear_profile()
    path = saved(tmp_path / "a", Image.new(mode, (1, 1), black), icc_profile=profile)
    # 128 / 255 of the light: sRGB writes it as 1.055 * 0.502 ** (1 / 2.4) - 0.055 = 0.737
    np.testing.assert_allclose(image_file.read(path), np.full([1, 1, 3], 188), atol=1)


def linear_profile():
    """sRGB with a straight tone curve: its three curves overwritten with `curv`, 0 entries."""
    return named_srgb_but_linear().replace(b"sRGB", b"line").replace(b"s\0R\0G\0B", b"l\0i\0n\0e")


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_was_cut_off_is_refused_unless_all_pixels_are_there(tmp_path, format):
    path, data = tmp_path / "a", bytes_of(format)
    path.write_bytes(data)
    whole = image_file.read(path)
    for missing in (*range(1, 40, 3), *range(40, len(data), len(data) // 20)):
        path.write_bytes(data[:-missing])
        if missing < 40:  # a PNG ends in 20 bytes that hold no pixels
            assert np.array_equal(read_or(path, whole), whole), missing
        else:
            assert "damaged" in refusal(path), missing


def read_or(path, default):
    try:
        return image_file.read(path)
    except UnreadableImage:
        return default


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"\n<!DOCTYPE html><html>404", "this is a web page, not an image"),
        (b"my holidays", "not a JPEG, PNG, WebP, BMP, GIF or TIFF image"),
        (b"\0\0\0\x18ftypheic", "this is HEIC, AVIF or a video; save it as JPEG or PNG first"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a JPEG"),
    ],
)
def test_what_is_no_image_is_refused_with_a_reason(tmp_path, content, expected):
    (tmp_path / "a.jpg").write_bytes(content)
    assert refusal(tmp_path / "a.jpg").startswith(expected)


def test_a_folder_and_a_missing_file_are_refused(tmp_path):
    assert refusal(tmp_path) == "this is a folder, not an image"
    assert refusal(tmp_path / "none.png") == "no such file or directory"


def test_too_many_pixels_are_refused_before_decoding(tmp_path):
    def bomb(width, height):
        header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
        path = saved(tmp_path / "a.png", smooth(1, 1))
        data = path.read_bytes()
        crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
        path.write_bytes(data[:16] + header + crc + data[33:])
        return path

    assert refusal(bomb(8001, 8000)) == "8001 x 8000 pixels; at most 64 million are read"
    assert refusal(bomb(10000, 10000)).startswith("10000 x 10000 pixels")
    assert refusal(bomb(60000, 60000)) == "far too many pixels; at most 64 million are read"
    assert "damaged" in refusal(bomb(8000, 8000))  # allowed, and then cut off


@pytest.mark.parametrize("error", [OSError, SyntaxError, EOFError, struct.error])
def test_any_error_of_a_decoder_is_a_refusal(tmp_path, monkeypatch, error):
    def broken(*args, **kwargs):
        raise error("two\nlines")

    monkeypatch.setattr(image_file.srgb, "convert", broken)
    path = saved(tmp_path / "a.png", smooth(2, 2))
    assert refusal(path) == "the image is damaged or cut off (two lines)"


def test_a_refusal_is_one_line_and_survives_pickling():
    error = pickle.loads(pickle.dumps(UnreadableImage("b/a.jpg", "bad\n  luck")))
    assert isinstance(error, ValueError)
    assert (error.path, error.reason, str(error)) == ("b/a.jpg", "bad luck", "b/a.jpg: bad luck")


def test_channels_other_than_one_and_three_are_an_error():
    with pytest.raises(ValueError, match="`channels` to be 1 or 3. Received: 4"):
        image_file.read("any.png", channels=4)


def test_a_jpeg_may_be_shrunk_but_never_below_what_is_requested(tmp_path):
    path = saved(tmp_path / "a.jpg", smooth(400, 900), "JPEG")
    assert image_file.read(path, shrink_to=100).shape == (100, 225, 3)
    assert image_file.read(path, shrink_to=101).shape == (200, 450, 3)
    assert image_file.read(path, shrink_to=1000).shape == (400, 900, 3)
    assert image_file.read(saved(tmp_path / "a.png", smooth(8, 8)), shrink_to=2).shape == (8, 8, 3)


def test_threads_read_the_same_as_one_after_another(tmp_path):
    paths = [saved(tmp_path / f"{f}{i}", smooth(20, 20 + i), f) for f in FORMATS for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for path, image in zip(paths, pool.map(image_file.read, paths)):
            np.testing.assert_array_equal(image, image_file.read(path))


@pytest.mark.parametrize("suffix", sorted(image_file.WRITERS))
@pytest.mark.parametrize("shape", [(40, 48, 3), (40, 48, 1), (40, 48)])
def test_what_is_written_can_be_read(tmp_path, suffix, shape):
    image = smooth(40, 48) if shape[2:] == (3,) else smooth(40, 48)[:, :, 0].reshape(shape)
    path = tmp_path / "new" / "folder" / f"a{suffix.upper()}"
    image_file.write(path, image)
    read = image_file.read(path, channels=3 if shape[2:] == (3,) else 1).reshape(shape)
    assert np.abs(read.astype(float) - image).mean() < 5
    if suffix in (".png", ".bmp", ".tif", ".tiff"):
        np.testing.assert_array_equal(read, image)
    assert list(path.parent.iterdir()) == [path]


def test_a_written_jpeg_keeps_its_colors_at_full_size(tmp_path):
    image_file.write(tmp_path / "a.jpg", smooth(8, 8))
    with Image.open(tmp_path / "a.jpg") as image:
        assert [(h, v) for _, h, v, _ in image.layer] == [(1, 1)] * 3
    assert len(image_file.encode(smooth(40, 48), ".jpg", quality=20)) < len(
        image_file.encode(smooth(40, 48), ".jpg")
    )


def test_an_unknown_suffix_is_an_error_that_lists_the_known(tmp_path):
    with pytest.raises(ValueError, match=r"'.bmp', '.gif', '.jpeg'.*Received: '.xyz'"):
        image_file.write(tmp_path / "a.xyz", smooth(2, 2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [np.zeros([2, 2, 3]), np.zeros([2, 2, 4], "u1"), np.uint8(1)])
def test_only_a_uint8_image_can_be_written(wrong):
    with pytest.raises(ValueError, match="Expected a uint8 image"):
        image_file.encode(wrong)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_become_floats_between_minus_one_and_one():
    image = image_array.to_float(np.array([0, 51, 255], np.uint8))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, [-1, -0.6, 1], rtol=1e-6)
    with pytest.raises(ValueError, match="Expected uint8 pixels. Received: float64"):
        image_array.to_float(np.zeros(3))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_the_nearest_byte(dtype):
    image = np.array([-9, -1, -0.99, 0.25, 1, 9, np.inf, -np.inf, np.nan], dtype)
    expected = [0, 0, 1, 159, 255, 255, 255, 0, 0]  # 1.25 * 127.5 = 159.375
    np.testing.assert_array_equal(image_array.to_uint8(image), expected)


def test_every_byte_survives_the_way_to_float_and_back():
    image = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(image_array.to_uint8(image_array.to_float(image)), image)
