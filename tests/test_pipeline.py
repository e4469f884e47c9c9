"""Which image comes when, and what becomes of it, is a pure function of (seed, sample)."""

import functools
import itertools
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import made, runs
from tests.tolerances import LAYER, TOLERANCE
from ugatit_tf.data import folders, pipeline
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.images import image_file

STEP = 10  # gray levels between the flat images, so that each tells its own number
RAMP = np.repeat(np.linspace(20, 230, 8).astype(np.uint8)[None, :, None], 8, 0)  # dark to light


def config(**options):
    return made.tiny_config(**{"img_ch": 3, **options})


def flat_images(folder, count):
    paths = [str(folder / f"{number}.png") for number in range(count)]
    for number, path in enumerate(paths):
        image_file.write(path, np.full([4, 6, 3], STEP * number, np.uint8))
    return paths


@pytest.fixture
def flat(tmp_path):
    """Paths of 7 and of 5 images of one color each."""
    return flat_images(tmp_path / "A", 7), flat_images(tmp_path / "B", 5)


def numbers_of(dataset, steps):
    """Which images came: int [steps, 2, batch_size]."""
    pairs = list(dataset.take(steps).as_numpy_iterator())
    levels = (np.array(pairs)[:, :, :, 0, 0, 0] + 1) * 127.5
    return np.rint(levels / STEP).astype(int)


def witness_resize(image, size):
    """Bilinear at half-pixel centres, without antialiasing, in float64."""
    for axis in (0, 1):
        length = image.shape[axis]
        positions = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = np.floor(positions).astype(int)
        high = np.minimum(low + 1, length - 1)
        weight = (positions - low).reshape([-1, 1, 1] if axis == 0 else [1, -1, 1])
        image = np.take(image, low, axis) * (1 - weight) + np.take(image, high, axis) * weight
    return image


def test_each_pass_visits_every_image_once_in_an_order_of_its_own(flat):
    came = numbers_of(pipeline.batches(*flat, config()), 70)[:, :, 0]
    for domain, count in ((0, 7), (1, 5)):
        passes = came[:, domain].reshape(-1, count)
        np.testing.assert_array_equal(np.sort(passes), [list(range(count))] * len(passes))
        assert len(set(map(tuple, passes))) > len(passes) // 2


def test_a_pass_ends_within_a_batch_without_losing_an_image(flat):
    came = numbers_of(pipeline.batches(*flat, config(batch_size=3)), 35)
    for domain, count in ((0, 7), (1, 5)):
        passes = came[:, domain].reshape(-1, count)
        np.testing.assert_array_equal(np.sort(passes), [list(range(count))] * len(passes))


def test_domains_of_one_size_are_paired_anew_in_each_pass(tmp_path):
    paths = flat_images(tmp_path / "A", 6), flat_images(tmp_path / "B", 6)
    came = numbers_of(pipeline.batches(*paths, config()), 240)[:, :, 0]
    pairs = set(map(tuple, came))
    assert len(pairs) == 36
    assert len(set(map(tuple, came[:6]))) == 6


@pytest.mark.parametrize(("first_step", "batch_size"), [(1, 2), (4, 1), (11, 2)])
def test_starting_at_a_step_equals_skipping_those_before_it(tmp_path, batch_size, first_step):
    paths = [
        runs.write_images(str(tmp_path / "A"), ["1.png", "2.png", "3.png"], seed=1),
        runs.write_images(str(tmp_path / "B"), ["1.png", "2.png"], seed=2),
    ]
    options = config(batch_size=batch_size)
    whole = pipeline.batches(*paths, options).skip(first_step).take(5)
    later = pipeline.batches(*paths, options, first_step=first_step).take(5)
    for expected, actual in zip(whole.as_numpy_iterator(), later.as_numpy_iterator()):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(  # each two values of any two of these meet
    ("cache", "first_step", "augment_flag", "channels"),
    [
        ("memory", 0, False, 1),
        ("memory", 0, True, 3),
        ("memory", 4, True, 1),
        ("disk", 0, True, 1),
        ("disk", 4, False, 3),
    ],
)
def test_keeping_images_changes_no_bit(tmp_path, cache, first_step, augment_flag, channels):
    names = [f"{i}.png" for i in range(3)]  # the second shape is cached as the square, see cache.py
    shapes = {"trainA": (8, 8), "trainB": (41, 30), "more": (10, 14)}
    paths = {
        weight: runs.write_images(str(tmp_path / weight), names, height=height, width=width, seed=9)
        for weight, (height, width) in shapes.items()
    }
    paths = paths["trainA"] + paths["trainB"][:2], paths["trainB"] + paths["more"][:1]
    options = {"img_ch": channels, "augment_flag": augment_flag, "batch_size": 2}

    def come(cache):
        dataset = pipeline.batches(*paths, config(cache=cache, **options), first_step=first_step)
        return list(dataset.take(12).as_numpy_iterator())  # five passes: anew, then from the cache

    expected = come("none")
    for actual in (come(cache), come(cache)):  # the second finds what the first left on disk
        np.testing.assert_array_equal(actual, expected)


def test_the_seed_decides_order_and_look(tmp_path):
    names = [f"{i}.png" for i in range(5)]
    paths = [runs.write_images(str(tmp_path / side), names) for side in "AB"]

    def first(seed):
        return np.array(list(pipeline.batches(*paths, config(seed=seed)).take(9)))

    np.testing.assert_array_equal(first(3), first(3))
    assert np.any(first(3) != first(4))


def test_about_half_of_the_samples_are_flipped_in_each_domain_for_itself(tmp_path):
    path = str(tmp_path / "ramp.png")
    image_file.write(path, np.repeat(RAMP, 3, -1))
    dataset = pipeline.batches([path], [path], config()).take(400)
    images = np.array(list(dataset.as_numpy_iterator()))
    flipped = images[:, :, 0, 0, 0, 0] > images[:, :, 0, 0, -1, 0]  # [400, 2]
    assert np.all(np.abs(flipped.mean(0) - 0.5) < 0.1)  # four standard deviations
    assert abs(flipped.all(1).mean() - 0.25) < 0.09


def test_augmentation_is_a_random_crop_of_the_enlarged_and_perhaps_flipped_image():
    image = made.images(32, 32, 3)
    candidates = {
        (flipped, top, left): witness_resize(image[:, ::-1] if flipped else image, 36)[
            top : top + 32, left : left + 32
        ]
        for flipped, top, left in itertools.product((False, True), range(5), range(5))
    }
    augment = tf.function(functools.partial(pipeline.augment, size=32, enlarged=36))
    actual = []
    for number in range(60):
        result = augment(tf.constant(image), tf.constant([11, number])).numpy()
        fitting = [
            case
            for case, expected in candidates.items()
            if np.allclose(result, expected, **TOLERANCE["float32"])
        ]
        assert len(fitting) == 1, number
        actual += fitting
    flips, tops, lefts = map(set, zip(*actual))
    assert flips == {False, True}
    assert tops == lefts == set(range(5))


@pytest.mark.parametrize("flavor", FLAVORS)
def test_small_squares_are_cut_from_the_image_as_large_as_without(tmp_path, flavor):
    paths = runs.write_images(str(tmp_path), ["a.png"], height=32, width=32, seed=5)
    options = {"flavor": flavor, "img_size": 32, "light": True}
    whole = pipeline.load(paths[0], size=32, channels=3, antialias=FLAVORS[flavor].antialias)
    side = FLAVORS[flavor].enlarged(32)
    if FLAVORS[flavor].antialias:
        enlarged = pipeline.load(paths[0], size=side, channels=3, antialias=True).numpy()
    else:
        enlarged = witness_resize(whole.numpy().astype(np.float64), side)
    corners = range(side - 8 + 1)
    squares = [
        np.ascontiguousarray(image[top : top + 8, left : left + 8])
        for image in (enlarged, enlarged[:, ::-1])
        for top, left in itertools.product(corners, corners)
    ]
    squares = np.reshape(squares, [len(squares), -1])
    found = set()
    for pair in pipeline.batches(paths, paths, config(crop_size=8, **options)).take(20):
        for image in pair:
            assert image.shape == [1, 8, 8, 3]
            distances = np.abs(squares - np.ravel(image)).max(1)
            assert distances.min() < 1e-5  # gray levels are 1/127 apart
            found.add(int(distances.argmin()))
    assert len(found) > 30  # of 40


def test_augmentation_is_a_pure_function_of_its_seed(run):
    image = made.images(8, 8, 3)
    seed, sides = np.array([3, 5], np.int32), {"size": 8, "enlarged": 9}
    first = run(pipeline.augment, image, seed, **sides)
    tf.random.set_seed(1)
    np.testing.assert_array_equal(run(pipeline.augment, image, seed, **sides), first)


@pytest.mark.parametrize(
    ("flavor", "size", "side"),
    [
        ("tensorflow", 256, 286),
        ("tensorflow", 128, 143),
        ("pytorch", 256, 286),
        ("pytorch", 96, 126),
    ],
)
def test_an_image_of_256_is_enlarged_to_286(flavor, size, side):
    assert FLAVORS[flavor].enlarged(size) == side


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([10, 50], [10, 20, 40, 50]),  # larger: at -1/4 (the edge), 1/4, 3/4, 5/4 (the edge)
        ([0, 8, 16, 40, 80, 80, 120, 200], [4, 28, 80, 160]),  # half: between two neighbours
        # a third: only the middle one of three; antialiasing would mix in the others
        ([0, 30, 255, 255, 60, 255, 255, 90, 0, 255, 120, 0], [30, 60, 90, 120]),
    ],
)
def test_resizing_takes_the_neighbours_of_half_pixel_centres_and_no_others(row, expected):
    image = np.repeat(np.array(row, np.uint8)[None, :, None], 4, 0)
    for turned in (False, True):
        pixels = image.transpose(1, 0, 2) if turned else image
        result = pipeline.resized(tf.constant(pixels), 4).numpy()[..., 0]
        result = (result.T if turned else result) * 127.5 + 127.5
        np.testing.assert_allclose(result, [expected] * 4, atol=255 * LAYER)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 13), (21, 6)])
def test_a_file_becomes_a_square_in_minus_one_to_one(tmp_path, height, width):
    (path,) = runs.write_images(str(tmp_path), ["a.png"], height=height, width=width)
    expected = witness_resize(image_file.read(path).astype(float), 8) / 127.5 - 1
    image = pipeline.load(path, size=8, channels=3, antialias=False)
    assert image.dtype == tf.float32
    np.testing.assert_allclose(image.numpy(), expected, **TOLERANCE["float32"])


def test_without_augmentation_batches_hold_the_plain_images(tmp_path):
    paths = runs.write_images(str(tmp_path), ["1.png", "2.png", "3.png"])
    plain = [pipeline.load(path, size=8, channels=3, antialias=False).numpy() for path in paths]
    dataset = pipeline.batches(paths, paths[:1], config(augment_flag=False)).take(3)
    for real_a, real_b in dataset.as_numpy_iterator():
        assert sum(np.array_equal(real_a[0], image) for image in plain) == 1
        np.testing.assert_array_equal(real_b[0], plain[0])


@pytest.mark.parametrize(
    ("batch_size", "channels", "augment_flag"),
    [(1, 1, False), (1, 3, True), (2, 1, True), (2, 3, False)],
)
def test_a_batch_has_its_shape_before_and_after_it_is_computed(
    flat, batch_size, channels, augment_flag
):
    options = config(batch_size=batch_size, img_ch=channels, augment_flag=augment_flag)
    dataset = pipeline.batches(*flat, options)
    shape = [batch_size, 8, 8, channels]
    for images, spec in zip(next(iter(dataset)), dataset.element_spec):
        assert images.shape == shape
        assert spec.shape.as_list()[1:] == shape[1:]
        assert images.dtype == tf.float32
        assert np.abs(images).max() <= 1


def test_one_channel_is_the_brightness(tmp_path):
    path = str(tmp_path / "red.png")
    image_file.write(path, np.full([4, 4, 3], (255, 0, 0), np.uint8))
    image = pipeline.load(path, size=8, channels=1, antialias=False)
    np.testing.assert_allclose(image, np.full([8, 8, 1], 76 / 127.5 - 1), **TOLERANCE["float32"])


def test_file_names_may_be_in_any_script_and_hold_anything(tmp_path):
    names = ["été 夏.png", "имя с пробелом.png", "صورة.png", "😀 100%.png", "#a?b&c=d.png"]
    names.append(os.fsdecode(b"latin-1 \xe9.png"))
    folder = str(tmp_path / "my photos, 2024")
    paths = flat_images(tmp_path, len(names))
    os.mkdir(folder)
    for path, name in zip(paths, names):
        os.rename(path, os.path.join(folder, name))
    actual = folders.images_in(folder)
    assert sorted(map(os.path.basename, actual)) == sorted(names)
    came = numbers_of(pipeline.batches(actual, actual, config()), len(names))
    assert set(came[:, 0, 0]) == set(range(len(names)))


def test_a_step_of_several_batches_takes_the_images_of_all(tmp_path):
    paths = flat_images(tmp_path, 5)
    accumulated, whole = config(batch_size=2, accumulate=3), config(batch_size=6)
    for actual, expected in zip(batches_of(paths, accumulated), batches_of(paths, whole)):
        np.testing.assert_array_equal(actual, expected)
    named = [pipeline.names_of_step(paths, paths, options, 1) for options in (accumulated, whole)]
    assert named[0] == named[1]
    assert len(named[0]) == 12


def batches_of(paths, options):
    return pipeline.batches(paths, paths, options).take(2)


@pytest.mark.parametrize(
    ("mine", "accumulate", "first_step"),
    [
        ((1, 1), 1, 0),
        ((1, 1), 2, 3),
        ((2, 1), 1, 3),
        ((2, 1), 2, 0),
        ((1, 2, 1), 1, 0),
        ((1, 2, 1), 2, 3),
    ],
)
def test_the_shares_of_all_processes_are_the_batches_of_one(tmp_path, mine, accumulate, first_step):
    paths = [
        runs.write_images(str(tmp_path / "A"), ["1.png", "2.png", "3.png"], seed=1),
        runs.write_images(str(tmp_path / "B"), ["1.png", "2.png"], seed=2),
    ]
    replicas = sum(mine)
    options = config(batch_size=2, accumulate=accumulate)
    whole = config(batch_size=2 * replicas, accumulate=accumulate)
    shares = [pipeline.Share(sum(mine[:i]), count, replicas) for i, count in enumerate(mine)]

    def come(options, share=pipeline.WHOLE):  # [steps, domains, accumulate, batch, ...]
        dataset = pipeline.batches(*paths, options, first_step=first_step, share=share)
        actual = np.array(list(dataset.take(5).as_numpy_iterator()))
        return actual.reshape(5, 2, accumulate, -1, 8, 8, 3)

    expected = come(whole)
    actual = [come(options, share) for share in shares]
    assert [batch.shape[3] for batch in actual] == [2 * count for count in mine]
    np.testing.assert_array_equal(np.concatenate(actual, 3), expected)

    def named(options, share=pipeline.WHOLE):
        names = pipeline.names_of_step(*paths, options, first_step, share)
        return np.array(names).reshape(2, accumulate, -1)

    together = np.concatenate([named(options, share) for share in shares], 2)
    np.testing.assert_array_equal(together, named(whole))


def test_samples_are_numbered_part_after_part_and_replica_after_replica():
    options, second = config(batch_size=2, accumulate=3), pipeline.Share(1, 1, 3)
    numbers = range(second.per_step(options))
    assert [second.sample(number, options) for number in numbers] == [2, 3, 8, 9, 14, 15]
    assert second.sample(6, options) == 18 + 2  # a step has 18 samples
    assert [pipeline.WHOLE.sample(number, options) for number in range(9)] == list(range(9))


@pytest.mark.parametrize("share", [(-1, 1, 2), (0, 0, 2), (1, 2, 2), (0, 1, 0)])
def test_a_share_of_replicas_that_are_not_there_is_refused(share):
    with pytest.raises(ValueError, match="Expected replicas from 0 to"):
        pipeline.Share(*share)


def pillow_square(path, side, channels=3, flipped=False):
    """uint8 [side, side, channels], as the official PyTorch program makes it of a file."""
    with Image.open(path) as image:
        image = image.convert("RGB" if channels == 3 else "L")
        if flipped:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(side, side, channels)


def pixels_of(images):
    """The uint8 pixels that floats in [-1, 1] stand for, which are no others than these."""
    pixels = np.rint((np.asarray(images) + 1) * 127.5).astype(np.uint8)
    np.testing.assert_allclose(images, pixels / 127.5 - 1, **TOLERANCE["float32"])
    return pixels


@pytest.mark.parametrize("shape", [(70, 50), (12, 90), (38, 38)])
def test_the_pytorch_flavor_crops_what_pillow_enlarged_by_30_pixel_by_pixel(tmp_path, shape):
    """Flipped first or last: as the official program does, to the bit."""
    height, width = shape
    (path,) = runs.write_images(str(tmp_path), ["a.png"], height=height, width=width, seed=5)
    cases = {
        pillow_square(path, 38, flipped=flipped)[top : top + 8, left : left + 8].tobytes(): (
            (flipped, top, left)
        )
        for flipped, top, left in itertools.product((False, True), range(31), range(31))
    }
    dataset = pipeline.batches([path], [path], config(flavor="pytorch")).take(60)
    found = [
        cases[pixels_of(image[0]).tobytes()]
        for pair in dataset.as_numpy_iterator()
        for image in pair
    ]
    flips, tops, lefts = (list(values) for values in zip(*found))
    assert 30 < sum(flips) < 90
    assert len(set(tops)) > 20 and len(set(lefts)) > 20
    assert tops != lefts


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 13), (61, 20)])
def test_the_pytorch_flavor_resizes_as_pillow_does_without_augmentation(
    tmp_path, height, width, channels
):
    (path,) = runs.write_images(str(tmp_path), ["a.png"], height=height, width=width)
    expected = pillow_square(path, 8, channels)
    image = pipeline.load(path, size=8, channels=channels, antialias=True)
    assert image.dtype == tf.float32
    np.testing.assert_array_equal(pixels_of(image), expected)
    plain = config(flavor="pytorch", augment_flag=False, img_ch=channels)
    for real in next(iter(pipeline.batches([path], [path], plain))):
        np.testing.assert_array_equal(pixels_of(real[0]), expected)


def test_antialiasing_is_felt_only_where_an_image_becomes_smaller(tmp_path):
    (large,) = runs.write_images(str(tmp_path), ["large.png"], height=60, width=60)
    soft, sharp = (
        pipeline.load(large, size=8, channels=3, antialias=antialias).numpy()
        for antialias in (True, False)
    )
    assert soft.std() < 0.5 * sharp.std()  # noise, of which averages remain


@pytest.mark.parametrize("augment_flag", [False, True])
@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_keeping_images_of_the_pytorch_flavor_changes_no_bit(tmp_path, cache, augment_flag):
    shapes = {"trainA": (38, 38), "trainB": (90, 100)}  # the second is cached as a square
    paths = [
        runs.write_images(str(tmp_path / name), ["0.png", "1.png"], height=height, width=width)
        for name, (height, width) in shapes.items()
    ]

    def come(cache):
        options = config(cache=cache, augment_flag=augment_flag, flavor="pytorch")
        return list(pipeline.batches(*paths, options).take(6).as_numpy_iterator())

    expected = come("none")
    for found in (come(cache), come(cache)):
        np.testing.assert_array_equal(found, expected)


def test_the_flavors_do_not_take_each_other_s_cached_squares(tmp_path):
    paths = runs.write_images(str(tmp_path / "trainA"), ["a.png"], height=60, width=60)

    def come(flavor, cache):
        options = config(cache=cache, augment_flag=False, flavor=flavor)
        return next(iter(pipeline.batches(paths, paths, options)))[0].numpy()

    plain = {flavor: come(flavor, "none") for flavor in FLAVORS}
    assert (plain["tensorflow"] != plain["pytorch"]).any()
    for flavor, expected in plain.items():
        np.testing.assert_array_equal(come(flavor, "disk"), expected)
    assert len(list((tmp_path / ".cache").iterdir())) == 2
