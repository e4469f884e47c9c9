"""Tones and colors of files are what their formats say, whatever they are called."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests import drawn_files
from tests.drawn_files import gamma, named_srgb_but_linear, png, primaries, profile, tiff
from ugatit_tf.images import image_file
from ugatit_tf.images.color_profiles import SRGB_CURVE, matrix_profile
from ugatit_tf.images.errors import UnreadableImage

RAMP = np.arange(256, dtype=np.uint8)
GRAY = RAMP.reshape(1, 256, 1)
P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
WIDE_GAMUT = (0.3457, 0.3585, 0.735, 0.265, 0.115, 0.826, 0.157, 0.018)  # its white is D50


def colors():
    """uint8 [9, 81, 3]: a cube of 729 colors."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels), -1).reshape(9, 81, 3)


def encoded(light):
    """Light in [0, 1] as sRGB writes it, in levels (IEC 61966-2-1)."""
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def decoded(levels):
    values = np.asarray(levels, np.float64) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def to_xyz(values):
    """The matrix of RGB to XYZ of these primaries."""
    white, *columns = [[x / y, 1, (1 - x - y) / y] for x, y in np.reshape(values, [4, 2])]
    columns = np.transpose(columns)
    return columns * np.linalg.solve(columns, white)


def read(tmp_path, content, **options):
    path = tmp_path / "a"
    path.write_bytes(content)
    return image_file.read(path, **options)


def alpha_of(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    return image_file.read_with_alpha(tmp_path / "a")[1]


def refusal(tmp_path, content):
    with pytest.raises(UnreadableImage) as caught:
        read(tmp_path, content)
    return caught.value.reason


def test_a_profile_is_judged_by_what_it_does_and_not_by_its_name(tmp_path):
    actual = read(tmp_path, png(np.tile(GRAY, (1, 1, 3)), profile(named_srgb_but_linear())))
    np.testing.assert_allclose(actual[0, :, 0], encoded(RAMP / 255), atol=1)


@pytest.mark.parametrize("source", ["LittleCMS", "ours"])
def test_what_does_nothing_to_colors_is_not_computed(tmp_path, monkeypatch, source):
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if source == "ours":
        data = matrix_profile(SRGB_CURVE, SRGB)
    content = png(colors(), profile(data))
    first = read(tmp_path, content)  # here it is judged
    monkeypatch.setattr(ImageCms, "applyTransform", None)
    for actual in (first, read(tmp_path, content)):
        np.testing.assert_array_equal(actual, colors())


@pytest.mark.parametrize("channels", [1, 3])
def test_gama_says_what_the_numbers_mean(tmp_path, channels):
    pixels = np.tile(GRAY, (1, 1, channels))
    actual = read(tmp_path, png(pixels, gamma(1.0)))[0, :, 0]
    np.testing.assert_allclose(actual, encoded(RAMP / 255), atol=1)
    assert abs(int(actual[55]) - 128) <= 1
    actual = read(tmp_path, png(pixels, gamma(1 / 1.8)))[0, :, 0]  # of old Macintoshes
    np.testing.assert_allclose(actual, encoded((RAMP / 255) ** 1.8), atol=1)


def test_gama_is_of_palettes_too(tmp_path):
    image = Image.fromarray(np.tile(GRAY, (1, 1, 3))).quantize(8)
    image.save(tmp_path / "a.png")
    before, content = image_file.read(tmp_path / "a.png"), (tmp_path / "a.png").read_bytes()
    end = content.index(b"PLTE") - 4
    actual = read(tmp_path, content[:end] + drawn_files.chunk(*gamma(1.0)) + content[end:])
    np.testing.assert_allclose(actual, encoded(before / 255.0), atol=1)


@pytest.mark.parametrize("values", [P3, WIDE_GAMUT])
@pytest.mark.parametrize("curve", [0.45455, 1.0])
def test_chrm_says_which_colors_they_are(tmp_path, values, curve):
    actual = read(tmp_path, png(colors(), gamma(curve), primaries(*values)))
    matrix = np.linalg.solve(to_xyz(SRGB), adapted(to_xyz(values), values))
    light = (colors() / 255) ** (1 / curve)
    np.testing.assert_allclose(actual, encoded(light @ matrix.T), atol=1.1)


def adapted(matrix, values):
    """XYZ under another white, as under D65 (Bradford)."""
    cones = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    gains = (cones @ to_xyz(SRGB).sum(1)) / (cones @ to_xyz(values).sum(1))
    return np.linalg.inv(cones) @ np.diag(gains) @ cones @ matrix


@pytest.mark.parametrize(
    "chunks",
    [
        [gamma(0.45455)],
        [gamma(0.4545), primaries(*SRGB)],
        [(b"sRGB", b"\0"), gamma(1.0), primaries(*P3)],
        [(b"cICP", bytes([1, 13, 0, 1])), profile(named_srgb_but_linear())],
        [(b"cICP", bytes([1, 13, 0, 1])), gamma(1.0)],
        [primaries(*P3)],  # without gAMA it says too little
        [gamma(0.0)],
    ],
)
def test_what_says_srgb_wins_over_what_comes_after_it(tmp_path, chunks):
    np.testing.assert_array_equal(read(tmp_path, png(colors(), *chunks)), colors())


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"cICP", bytes([12, 13, 0, 1]))],
        [(b"cICP", bytes([12, 13, 0, 1])), profile(named_srgb_but_linear())],
        [profile(matrix_profile(SRGB_CURVE, P3)), (b"sRGB", b"\0"), gamma(1.0)],
    ],
)
def test_cicp_comes_before_a_profile_and_that_before_srgb_and_gama(tmp_path, chunks):
    matrix = np.linalg.solve(to_xyz(SRGB), to_xyz(P3))
    expected = encoded(decoded(colors()) @ matrix.T)
    np.testing.assert_allclose(read(tmp_path, png(colors(), *chunks)), expected, atol=1)


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([(b"cICP", bytes([9, 16, 0, 1]))], r"this is an HDR image (PQ), which is not supported"),
        ([(b"cICP", bytes([9, 18, 0, 1]))], r"this is an HDR image (HLG), which is not supported"),
        ([(b"cICP", bytes([99, 13, 0, 1]))], r"its colors (cICP 99, 13) are not known"),
        ([gamma(0.5), primaries(*[0.3] * 8)], "its cHRM chunk describes no colors"),
        ([gamma(0.5), primaries(*[0.0] * 8)], "its cHRM chunk describes no colors"),
    ],
)
def test_colors_that_cannot_be_shown_are_refused_with_the_reason(tmp_path, chunks, reason):
    assert refusal(tmp_path, png(colors(), *chunks)).startswith(reason)


def test_dark_grays_of_sixteen_bits_are_converted_before_they_are_rounded(tmp_path):
    values = np.arange(0, 2048, 8, dtype=np.uint16).reshape(1, 256, 1)
    actual = read(tmp_path, png(values, gamma(1.0)))[0, :, 0]
    np.testing.assert_allclose(actual, encoded(values[0, :, 0] / 65535), atol=1.5)
    assert len(np.unique(actual)) > 40  # of 51; rounded before, they would be 9


def test_lab_is_converted_and_its_a_is_not_alpha(tmp_path):
    lab = np.tile(np.uint8([128, 156, 0]), (4, 4, 1))  # L* 50, a* -100, b* 0, beyond sRGB's greens
    (tmp_path / "a").write_bytes(tiff(lab, photometric=8))
    pixels, alpha = image_file.read_with_alpha(tmp_path / "a")
    assert alpha is None
    np.testing.assert_allclose(pixels[0, 0], [0, 152, 117], atol=2)
    gray = np.stack([RAMP, 0 * RAMP, 0 * RAMP], -1)[None]  # L* is 0 to 100
    light = np.where(RAMP > 20.4, ((RAMP / 2.55 + 16) / 116) ** 3, RAMP / 2.55 / 903.3)
    actual = read(tmp_path, tiff(gray, photometric=8))[0]
    np.testing.assert_allclose(actual, encoded(light)[:, None].repeat(3, 1), atol=2)


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (RAMP.astype(np.int16) * 128, {"kind": 2}),
        (RAMP.astype(np.uint16) * 257, {}),
        (65535 - RAMP.astype(np.uint16) * 257, {"photometric": 0}),
        (RAMP.astype(np.uint32) * 16843009, {}),  # to 2 ** 32 - 1
        (RAMP.astype(np.uint32) * 257, {}),
        (RAMP.astype(np.int32) * 8421504, {"kind": 2}),
        (1 - RAMP.astype(np.float32) / 255, {"kind": 3, "photometric": 0}),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_a_ramp_of_any_numbers_is_a_ramp(tmp_path, values, options):
    actual = read(tmp_path, tiff(values[None], **options), channels=1)
    np.testing.assert_array_equal(actual[0, :, 0], RAMP)


def test_half_of_a_ramp_is_half_as_bright(tmp_path):
    for values, kind in ((RAMP.astype(np.uint32) * 8388608, 1), (RAMP.astype(np.int8) // 2, 2)):
        actual = read(tmp_path, tiff(values[None, :128], kind=kind), channels=1)[0, :, 0]
        expected = RAMP[:128] / (2 if kind == 1 else 1)
        np.testing.assert_allclose(actual, expected, atol=1.5)


def test_a_sign_of_eight_bits_is_seen(tmp_path):
    actual = read(tmp_path, tiff(np.arange(128, dtype=np.int8)[None], kind=2), channels=1)
    np.testing.assert_allclose(actual[0, :, 0], np.arange(128) * 255 / 127, atol=0.5)


def test_a_tiff_that_no_decoder_knows_is_said_to_be_one(tmp_path):
    values = np.zeros([4, 4, 3], np.float32)
    assert "a TIFF of a kind that is not read" in refusal(
        tmp_path, tiff(values, photometric=2, kind=3)
    )


def test_a_gray_of_sixteen_bits_can_be_transparent(tmp_path):
    values = np.uint16([[[33111], [33112], [33113], [33368]]])
    alpha = alpha_of(tmp_path, png(values, (b"tRNS", struct.pack(">H", 33112))))
    np.testing.assert_array_equal(alpha, [[255, 0, 255, 255]])


def test_a_color_of_sixteen_bits_is_transparent_only_if_all_bits_are_its(tmp_path):
    key = (1000, 40000, 65535)
    values = np.uint16([[key, (1001, 40000, 65535), (1000, 40000, 65279), (0, 0, 0)]])
    alpha = alpha_of(tmp_path, png(values, (b"tRNS", struct.pack(">3H", *key))))
    np.testing.assert_array_equal(alpha, [[0, 255, 255, 255]])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_gray_of_few_bits_can_be_transparent(tmp_path, bits):
    values = np.arange(2**bits, dtype=np.uint8).reshape(1, -1, 1)
    for key in {0, 1, 2**bits - 1}:
        alpha = alpha_of(tmp_path, png(values, (b"tRNS", struct.pack(">H", key)), bits=bits))
        np.testing.assert_array_equal(alpha[0] == 0, values[0, :, 0] == key)


def test_alpha_that_was_multiplied_into_the_colors_is_taken_out(tmp_path):
    from ugatit_tf.images.srgb import convert, stored

    image = Image.frombytes("RGBa", (1, 1), bytes([50, 0, 0, 51]))
    assert convert(image, stored(image)).getpixel((0, 0)) == (250, 0, 0, 51)


@pytest.mark.parametrize("kind", ["iCCP", "zTXt", "iTXt"])
def test_large_metadata_is_no_damage(tmp_path, kind):
    text = bytes(1_500_000)
    data = matrix_profile(SRGB_CURVE, P3)
    plain = png(colors(), profile(data)) if kind == "iCCP" else png(colors())
    large = struct.pack(">I", len(data) + len(text)) + data[4:] + text
    parts = {
        "iCCP": profile(large),
        "zTXt": (b"zTXt", b"about\0\0" + zlib.compress(text)),
        "iTXt": (b"iTXt", b"about\0\1\0\0\0" + zlib.compress(text)),
    }
    expected = read(tmp_path, plain)
    np.testing.assert_array_equal(read(tmp_path, png(colors(), parts[kind])), expected)


def test_metadata_beyond_bounds_is_refused_as_that(tmp_path):
    text = b"about\0\0" + zlib.compress(bytes(20_000_000))
    reason = refusal(tmp_path, png(colors(), (b"zTXt", text)))
    assert reason == "its metadata (texts, profile) is too large; at most 17 MB of each are read"
