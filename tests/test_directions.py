"""The two directions under all their names."""

from ugatit_tf.directions import DIRECTIONS


def test_each_direction_knows_its_domains_and_the_way_back():
    assert list(DIRECTIONS) == ["a2b", "b2a"]
    for name, direction in DIRECTIONS.items():
        assert DIRECTIONS[direction.opposite].opposite == name == direction.name
    b2a = DIRECTIONS["b2a"]
    assert (b2a.title, b2a.source_folder, b2a.target_folder) == ("B to A", "testB", "testA")
