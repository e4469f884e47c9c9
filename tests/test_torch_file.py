"""Files of torch.save: read as what they hold, or refused; none runs anything. Without torch."""

import io
import itertools
import os
import pickle
import pickletools
import random
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from ugatit_tf.errors import Failure
from ugatit_tf.interchange import torch_file, torch_writer

BFLOAT16 = np.array([0x3F80, 0xC000, 0x7F80], "<u2")  # 1, -2, infinity
KINDS = {
    "FloatStorage": np.array([1.5, -2, 3e38], "<f4"),
    "DoubleStorage": np.array([1.5, -2, 1e300], "<f8"),
    "HalfStorage": np.array([1.5, -2, 65504], "<f2"),
    "CharStorage": np.array([1, -2, -128], "i1"),
    "ShortStorage": np.array([1, -2, -32768], "<i2"),
    "IntStorage": np.array([1, -2, -(2**31)], "<i4"),
    "LongStorage": np.array([1, -2, -(2**63)], "<i8"),
    "ByteStorage": np.array([1, 2, 255], "u1"),
    "BoolStorage": np.array([True, False, True]),
}
TEN = np.arange(10, dtype="<f4")
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


# Pickle instructions, written here anew: what is read must not be what our own writer thinks.


def name(full):
    return "c{}\n{}\n".format(*full.rsplit(".", 1)).encode()


def text(content):
    return b"X" + struct.pack("<I", len(content.encode())) + content.encode()


def number(value):
    if abs(value) < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x10" + value.to_bytes(16, "little", signed=True)


def numbers(*values):
    return several(*map(number, values))


def several(*parts):
    return b"(" + b"".join(parts) + b"t"


def dictionary(**items):
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def storage(kind="FloatStorage", key="0", size=10):
    return (
        several(text("storage"), name(f"torch.{kind}"), text(key), text("cpu"), number(size)) + b"Q"
    )


def tensor(stored=None, offset=0, shape=(10,), strides=(1,), function="_rebuild_tensor_v2"):
    rest = (b"\x89", ORDERED_DICT) if function == "_rebuild_tensor_v2" else ()
    arguments = (stored or storage(), number(offset), numbers(*shape), numbers(*strides), *rest)
    return name(f"torch._utils.{function}") + several(*arguments) + b"R"


def zipped(body, storages, byteorder=b"little", compression=zipfile.ZIP_STORED, also=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("some name/data.pkl", b"\x80\x02" + body + b".")
        archive.writestr("some name/byteorder", byteorder)
        for key, array in storages.items():
            archive.writestr(f"some name/data/{key}", array.tobytes())
        for entry, content in also:
            archive.writestr(entry, content)
        archive.writestr("some name/version", b"3\n")
    return file.getvalue()


def legacy(body, storages, little_endian=True, keys=None, counts=None):
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)]
    parts += [pickle.dumps({"protocol_version": 1001, "little_endian": little_endian}, 2)]
    parts += [b"\x80\x02" + body + b".", pickle.dumps(list(storages) if keys is None else keys, 2)]
    for key, array in storages.items():
        parts += [struct.pack("<q", (counts or {}).get(key, array.size)), array.tobytes()]
    return b"".join(parts)


FORMATS = {"zip": zipped, "legacy": legacy}


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "some.pt"
        path.write_bytes(content)
        return str(path)

    return write


@pytest.fixture(params=FORMATS)
def saved(request, written):
    """saved(body of the pickle, **storages) -> path, in each of the formats."""
    return lambda body, **storages: written(FORMATS[request.param](body, storages))


def check_refused(path, reason):
    with pytest.raises(Failure) as caught:
        torch_file.read(path)
    message = str(caught.value)
    assert reason in message and message.startswith(path) and len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_every_type_are_read(kind, saved):
    path = saved(dictionary(x=tensor(storage(kind, "k", 3), shape=(3,))), k=KINDS[kind])
    x = torch_file.read(path)["x"]
    np.testing.assert_array_equal(x, KINDS[kind], strict=True)
    assert x.flags.owndata and x.flags.writeable


def test_bfloat16_becomes_float32(saved):
    path = saved(dictionary(x=tensor(storage("BFloat16Storage", "k", 3), shape=(3,))), k=BFLOAT16)
    x = torch_file.read(path)["x"]
    np.testing.assert_array_equal(x, np.array([1, -2, np.inf], np.float32), strict=True)


def test_any_byte_other_than_zero_is_true(saved):
    path = saved(dictionary(x=tensor(storage("BoolStorage"))), **{"0": np.arange(10, dtype="u1")})
    assert torch_file.read(path)["x"].view(np.uint8).tolist() == [0] + [1] * 9


def test_offset_and_strides_say_where_a_tensor_is_in_its_storage(saved):
    views = {
        "rows": (1, (2, 3), (4, 1)),
        "columns": (0, (3, 2), (1, 5)),
        "every_third": (0, (4,), (3,)),
        "scalar": (7, (), ()),
        "one": (9, (1, 1), (2**70, 0)),
        "repeated": (8, (2, 2), (0, 1)),
        "empty": (0, (0, 300), (300, 1)),
    }
    body = dictionary(**{key: tensor(None, *view) for key, view in views.items()})
    arrays = torch_file.read(saved(body, **{"0": TEN}))
    assert arrays["rows"].tolist() == [[1, 2, 3], [5, 6, 7]]
    assert arrays["columns"].tolist() == [[0, 5], [1, 6], [2, 7]]
    assert arrays["every_third"].tolist() == [0, 3, 6, 9]
    assert arrays["scalar"] == 7 and arrays["scalar"].shape == ()
    assert arrays["one"].tolist() == [[9]]
    assert arrays["repeated"].tolist() == [[8, 9], [8, 9]]
    assert arrays["empty"].shape == (0, 300)
    assert all(array.flags.c_contiguous for array in arrays.values())


def test_tensors_that_share_a_storage_become_arrays_of_their_own(saved):
    arrays = torch_file.read(saved(dictionary(x=tensor(), y=tensor()), **{"0": TEN}))
    arrays["x"][:] = -1
    np.testing.assert_array_equal(arrays["y"], TEN)


def test_each_tensor_is_read_from_its_own_storage(saved):
    body = dictionary(**{k: tensor(storage(key=k)) for k in "ba"})
    arrays = torch_file.read(saved(body, a=TEN, b=-TEN))
    assert list(arrays) == ["b", "a"]
    np.testing.assert_array_equal(arrays["a"], TEN)
    np.testing.assert_array_equal(arrays["b"], -TEN)


def test_a_state_dict_is_read_without_what_torch_notes_beside_it(saved):
    metadata = dictionary(_metadata=ORDERED_DICT)
    state = ORDERED_DICT + b"(" + text("conv.weight") + tensor() + b"u" + metadata + b"b"
    parameters = torch_file.read(saved(dictionary(genA2B=state), **{"0": TEN}))
    assert type(parameters["genA2B"]) is dict and list(parameters["genA2B"]) == ["conv.weight"]


def test_parameters_and_tensors_of_older_versions_are_read(saved):
    parameter = name("torch._utils._rebuild_parameter") + several(tensor(), b"\x88", ORDERED_DICT)
    older = tensor(function="_rebuild_tensor")
    arrays = torch_file.read(saved(dictionary(x=parameter + b"R", y=older), **{"0": TEN}))
    np.testing.assert_array_equal(arrays["x"], TEN)
    np.testing.assert_array_equal(arrays["y"], TEN)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_other_values_stay_as_they_are(protocol, saved):
    values = {
        "epoch": 3, "lr": 1e-4, "long": -(2**40), "name": "ü", "on": True, "off": False,
        "none": None, "list": [1, [2.5, ()], "a"], "tuple": (1, (2, 3, 4), (5, 6, 7, 8)),
        "by_number": {0: {}, 1: {"a": []}},
    }  # fmt: skip
    read = torch_file.read(saved(pickle.dumps(values, protocol)[2:-1]))
    assert read == values and type(read["on"]) is bool and type(read["list"]) is list


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_file_that_runs_code_does_nothing(protocol, saved, tmp_path):
    body = pickle.dumps({"x": RunsCode(tmp_path / "made")}, protocol)[2:-1]
    message = check_refused(saved(body), f" asks for {os.mkdir.__module__}.mkdir, which is not ")
    assert "Nothing of it was executed." in message
    assert not os.path.exists(tmp_path / "made")
    pickle.loads(b"\x80\x04" + body + b".")  # elsewhere it would have
    assert os.path.exists(tmp_path / "made")


FOREIGN = {
    "a function": (name("builtins.eval"), "builtins.eval"),
    "of a module that is known": (name("torch._utils._import_dotted_name"), "_import_dotted_name"),
    "by a dotted name": (text("collections") + text("OrderedDict.fromkeys") + b"\x93", "fromkeys"),
    "by an old instruction": (b"(iposix\nsystem\n", "asks for posix.system,"),
    "that it calls at once": (b"(icollections\nOrderedDict\n", "collections.OrderedDict"),
    "on two lines": (text("os") + text("a\nb") + b"\x93", r"os.a\nb"),
    "of an endless name": (text("os") + text("a" * 10_000) + b"\x93", "aaa..., which"),
}
DAMAGED = {
    "an extension": (b"\x82\1", "EXT1"),
    "an object": (name("torch.FloatStorage") + b")\x81", "NEWOBJ"),
    "bytes": (b"C\1a", "SHORT_BINBYTES"),
    "a set": (b"\x8f", "EMPTY_SET"),
    "no instruction": (b"\xff", "no pickle instruction"),
    "a name as a value": (name("torch.FloatStorage"), "Name where a tensor belongs"),
    "a storage as a value": (storage(), "Storage where a tensor belongs"),
    "a call of a storage": (name("torch.FloatStorage") + b")R", "torch.FloatStorage of 0"),
    "a call of a text": (text("a") + b")R", "str where Name belongs"),
    "a call with a list": (name("collections.OrderedDict") + b"]R", "list where tuple belongs"),
    "a dict of arguments": (name("collections.OrderedDict") + b"]\x85R", "of 1 arguments"),
    "few arguments": (name("torch._utils._rebuild_tensor") + b")R", "of 0 arguments"),
    "no tensor": (name("torch._utils._rebuild_parameter") + b"NNN\x87R", "NoneType where Tensor"),
    "no storage": (tensor(text("a")), "str where Storage belongs"),
    "another id": (text("a") + b"Q", "str where tuple belongs"),
    "a module": (several(text("module"), name("torch.FloatStorage"), b"NNN") + b"Q", "no storage"),
    "attributes of a tensor": (tensor() + b"}b", "Tensor where Dict belongs"),
    "attributes of a function": (name("torch._utils._rebuild_tensor") + b"}b", "Name where Dict"),
    "attributes of a plain dict": (b"}}b", "dict where Dict belongs"),
    "items of a tuple": (b")NNs", "tuple where dict or Dict belongs"),
    "elements of a dict": (b"}Na", "dict where list belongs"),
    "a tuple as a key": (b"})Ns", "tuple where str or int belongs"),
    "a long number as a key": (b"}" + number(2**63) + b"Ns", "more than 64 bits as a key"),
    "a key without a value": (b"}(" + text("a") + b"u", "a key without a value"),
    "nothing under a number": (b"hA", "nothing under number 65"),
    "too little on the stack": (b"(\x87", "pop from"),
    "no mark": (b"Nu", "pop from"),
    "within itself": (b"]q\1h\1a", "within each other"),
    "too deep": (b"]" * 200_000 + b"a" * 199_999, "within each other"),
    "too deep, of tuples": (b")" + b"\x85" * 200_000, "within each other"),
    "a text longer than the file": (b"X\xff\xff\xff\xff" + b"a" * 100, "expected 4294967295 bytes"),
    "beyond the end": (tensor(offset=1), "element 10 of a storage of 10"),
    "a row beyond the end": (tensor(shape=(2, 4), strides=(7, 1)), "element 10"),
    "a stride beyond numbers": (tensor(shape=(2,), strides=(2**70,)), "of a storage of 10"),
    "a negative offset": (tensor(offset=-1), "a negative size, stride or offset"),
    "a negative stride": (tensor(offset=9, strides=(-1,)), "a negative size"),
    "a negative shape": (tensor(shape=(-2, -5), strides=(5, 1)), "a negative size"),
    "repeated too often": (tensor(shape=(10**12,), strides=(0,)), "shape (1000000000000,)"),
    "repeated beyond numbers": (tensor(shape=(2**60, 2**60), strides=(0, 0)), "a tensor of shape"),
    "empty beyond numbers": (tensor(shape=(0, 2**70), strides=(0, 0)), "is not a checkpoint"),
    "strides for another shape": (tensor(strides=(1, 1)), "1 dimensions, 2 strides"),
    "too many dimensions": (tensor(shape=(1,) * 33, strides=(1,) * 33), "33 dimensions"),
    "a truth as an offset": (tensor().replace(number(0), b"\x88"), "bool where int belongs"),
    "two sizes of a storage": (b"](" + tensor() + tensor(storage(size=9)) + b"e", "two storages"),
    "two types of a storage": (b"](" + tensor() + tensor(storage("IntStorage")) + b"e", "two stor"),
}  # fmt: skip


@pytest.mark.parametrize("value, reason", FOREIGN.values(), ids=FOREIGN)
def test_a_function_or_class_that_is_not_of_tensors_is_refused_by_name(value, reason, saved):
    message = check_refused(saved(dictionary(x=value), **{"0": TEN}), reason)
    assert "which is not part of a checkpoint of tensors" in message and len(message) < 1000


@pytest.mark.parametrize("value, reason", DAMAGED.values(), ids=DAMAGED)
def test_what_makes_no_tensor_is_refused(value, reason, saved):
    message = check_refused(saved(dictionary(whole=tensor(), x=value), **{"0": TEN}), reason)
    assert "Expected a file of torch.save with state_dicts in it" in message


def test_what_refers_to_itself_often_is_read_once(saved):
    doubled = b"".join(
        b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(60)
    )
    body = b"}" + text("x") + b"](" + b"]q\0" + doubled + b"es"
    x = torch_file.read(saved(body))["x"]
    assert x[-1][0] is x[-1][1] and len(x) == 61


def test_anything_but_a_dict_is_refused(saved):
    check_refused(saved(b"](" + tensor() + b"e", **{"0": TEN}), "list where dict belongs")


@pytest.mark.parametrize("num_values, size", [(9, 10), (11, 10), (0, 2**61)])
def test_a_storage_of_another_size_than_its_tensors_say_is_refused(num_values, size, saved):
    path = saved(dictionary(x=tensor(storage(size=size))), **{"0": TEN[:1].repeat(num_values)})
    check_refused(path, "storage")


def test_copies_that_take_many_times_the_file_are_refused(saved):
    array = np.zeros(100_000, np.float32)
    one = tensor(storage(size=array.size), shape=array.shape)
    many = b"](" + one + b"q\1" + b"".join(one for _ in range(20)) + b"e"
    check_refused(saved(dictionary(x=many), **{"0": array}), "tensors of 8400000 bytes")
    few = b"](" + one + b"q\1" + b"h\1" * 20 + b"e"  # the same tensor again
    assert len(torch_file.read(saved(dictionary(x=few), **{"0": array}))["x"]) == 21


def test_what_has_too_much_beside_tensors_is_refused(saved):
    check_refused(saved(dictionary(x=text("a" * 2**22))), "is not a checkpoint of tensors")


ONE = dictionary(x=tensor())
STORED = {"0": TEN}
CENTRAL = b"PK\1\2\x14\3\x14\0\0"  # begins what the end of an archive says of an entry
TWICE = zipped(ONE, STORED, also=[("some name/data/1", TEN.tobytes())])
NO_FILES = {
    "empty": (b"", "neither a zip archive nor a pickle"),
    "a text": (b"<!DOCTYPE html>", "neither a zip archive nor a pickle"),
    "compressed": (zipped(ONE, STORED, compression=zipfile.ZIP_DEFLATED), "more in it than"),
    "big-endian": (zipped(ONE, STORED, byteorder=b"big"), "not little-endian"),
    "two entries": (TWICE.replace(b"data/1", b"data/0"), "two entries of one name"),
    "two pickles": (zipped(ONE, STORED, also=[("b/data.pkl", b"")]), "2 entries"),
    "another archive": (zipped(ONE, STORED).replace(b"/data.pkl", b"/data.txt"), "0 entries"),
    "a storage less": (zipped(ONE, {}), "no storage 0 of 40 bytes"),
    "cut off": (zipped(ONE, STORED)[:-1], "it is cut off"),
    "longer": (zipped(ONE, STORED) + b"\0", "there is more behind its end"),
    "only an end": (b"PK\3\4" + zipped(ONE, STORED)[-22:], "is not a checkpoint"),
    "a bit flipped": (zipped(ONE, STORED).replace(b"\0\0\x80?", b"\0\0\x81?"), "CRC"),
    "encrypted": (zipped(ONE, STORED).replace(CENTRAL, CENTRAL[:-1] + b"\1"), "encrypted"),
    "legacy, big-endian": (legacy(ONE, STORED, little_endian=False), "not little-endian"),
    "legacy, cut off": (legacy(ONE, STORED)[:-1], "is cut off"),
    "legacy, longer": (legacy(ONE, STORED) + b"\0", "there is more behind its end"),
    "legacy, a key less": (legacy(ONE, STORED, keys=[]), "not those of the tensors"),
    "legacy, a key more": (legacy(ONE, STORED, keys=["0", "1"]), "not those of the tensors"),
    "legacy, a key twice": (legacy(ONE, STORED, keys=["0", "0"]), "not those of the tensors"),
    "legacy, keys of another type": (legacy(ONE, STORED, keys=[0]), "not those of the tensors"),
    "legacy, a negative size": (legacy(ONE, STORED, counts={"0": -1}), "has another size"),
    "a pickle": (pickle.dumps({"x": 1}, 2), "a pickle, but not of torch.save"),
    "a pickle of nothing": (b"\x80", "not enough data"),
}  # fmt: skip


@pytest.mark.parametrize("content, reason", NO_FILES.values(), ids=NO_FILES)
def test_a_file_that_is_damaged_or_of_something_else_is_refused(content, reason, written):
    check_refused(written(content), reason)


def test_an_entry_that_claims_more_than_the_file_has_is_refused(written):
    content = bytearray(zipped(ONE, STORED))
    entry = content.index(b"PK\1\2", content.index(b"PK\1\2") + 4)
    content[entry + 20 : entry + 28] = struct.pack("<II", 2**31, 2**31)
    check_refused(written(content), "more in it than the file is long")


@pytest.mark.parametrize("build", FORMATS.values(), ids=FORMATS)
def test_damage_of_any_kind_is_refused_or_harmless(build, written):
    body = dictionary(
        a=ORDERED_DICT + b"(" + text("w") + tensor() + b"u}b",
        b=tensor(shape=(2, 5), strides=(1, 2)),
    )
    whole, choose = build(body, STORED), random.Random(0)
    outcomes = []
    for _ in range(60):
        content = bytearray(whole)
        start = choose.randrange(len(content))
        end = start + choose.choice((1, 1, 4, 20, len(content)))
        content[start:end] = choose.randbytes(choose.choice((0, 1, end - start)) % 40)
        try:
            outcomes.append(type(torch_file.read(written(content))))
        except Failure as error:
            assert len(str(error).splitlines()) == 1
            outcomes.append(Failure)
    assert outcomes.count(Failure) > 20


def test_a_path_without_a_file_is_said_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="^No file .*nothing.pt. Expected a file of torch"):
        torch_file.read(tmp_path / "nothing.pt")


def test_a_folder_is_refused(tmp_path):
    check_refused(str(tmp_path), "cannot be read: ")


NESTED = {
    "genA2B": {kind: np.stack([array, array]) for kind, array in KINDS.items()},
    "genB2A": {"scalar": np.array(5), "empty": np.zeros((0, 3), np.float32), "none": {}},
}


def pairs(nested, path=()):
    for key, value in nested.items():
        if isinstance(value, dict):
            yield (*path, key), list(value)
            yield from pairs(value, (*path, key))
        else:
            yield (*path, key), value


def check_same(received, expected):
    for (path, one), (other, two) in itertools.zip_longest(pairs(received), pairs(expected)):
        assert path == other
        if isinstance(two, list):
            assert one == two
        else:
            np.testing.assert_array_equal(one, two, strict=True)


def test_what_is_written_is_read_as_it_was(tmp_path):
    torch_writer.write(tmp_path / "some.pt", NESTED)
    check_same(torch_file.read(tmp_path / "some.pt"), NESTED)


def test_arrays_of_any_layout_are_written(tmp_path):
    x = np.arange(24, dtype=">f4").reshape(2, 3, 4)
    arrays = {"t": x.T, "strided": x[:, ::2, 1:], "row": TEN[::5], "list": [1.5, 2]}
    torch_writer.write(tmp_path / "some.pt", arrays)
    read = torch_file.read(tmp_path / "some.pt")
    np.testing.assert_array_equal(read["t"], x.T.astype("f4"), strict=True)
    np.testing.assert_array_equal(read["strided"], x[:, ::2, 1:].astype("f4"), strict=True)
    np.testing.assert_array_equal(read["row"], np.array([0, 5], "f4"), strict=True)
    np.testing.assert_array_equal(read["list"], np.array([1.5, 2]), strict=True)


class Reader(pickle.Unpickler):
    """Reads as torch does, over the entries of an archive."""

    NAMES = {
        "collections.OrderedDict": OrderedDict,
        "torch.FloatStorage": "<f4",
        "torch.LongStorage": "<i8",
        "torch._utils._rebuild_tensor_v2": lambda array, offset, shape, strides, grad, hooks: (
            np.lib.stride_tricks.as_strided(
                array[offset:], shape, [stride * array.itemsize for stride in strides]
            )
        ),
    }

    def __init__(self, archive):
        super().__init__(io.BytesIO(archive.read("archive/data.pkl")))
        self.archive = archive

    def find_class(self, module, attribute):
        return self.NAMES[f"{module}.{attribute}"]

    def persistent_load(self, identity):
        noun, layout, key, device, size = identity
        array = np.frombuffer(self.archive.read(f"archive/data/{key}"), layout)
        assert (noun, device, size) == ("storage", "cpu", array.size)
        return array


def test_what_is_written_is_what_torch_reads(tmp_path):
    x = np.arange(24, dtype="f4").reshape(2, 3, 4)
    nested = {"genA2B": {"w": x, "n": np.array(70_000)}, "genB2A": {"long": np.arange(70_000)}}
    torch_writer.write(tmp_path / "some.pt", nested)
    with zipfile.ZipFile(tmp_path / "some.pt") as archive:
        assert archive.testzip() is None
        assert archive.read("archive/version") == b"3\n"
        assert archive.read("archive/byteorder") == b"little"
        read = Reader(archive).load()
        instructions = list(pickletools.genops(archive.read("archive/data.pkl")))
    assert type(read) is type(read["genA2B"]) is OrderedDict
    check_same(read, nested)
    # torch.load with `weights_only` knows these and no others of those that are used here.
    assert {instruction.name for instruction, _, _ in instructions} <= {
        "PROTO", "GLOBAL", "EMPTY_TUPLE", "REDUCE", "MARK", "BINUNICODE", "SETITEMS", "TUPLE",
        "BINPERSID", "BININT", "BININT1", "BININT2", "NEWFALSE", "STOP",
    }  # fmt: skip


def test_storages_are_stored_plainly_at_multiples_of_64_bytes(tmp_path):
    path = tmp_path / "some.pt"
    torch_writer.write(path, NESTED)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            header = content[entry.header_offset : entry.header_offset + 30]
            start = entry.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
            assert start % 64 == 0 and entry.compress_type == zipfile.ZIP_STORED
            assert entry.create_system == 3 and entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert content[start : start + entry.file_size] == archive.read(entry)


def test_a_large_entry_begins_at_a_multiple_of_64_bytes_too(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_writer, "LARGE", 50)
    test_storages_are_stored_plainly_at_multiples_of_64_bytes(tmp_path)
    check_same(torch_file.read(tmp_path / "some.pt"), NESTED)


def test_the_same_tensors_give_the_same_bytes_by_path_and_by_file(tmp_path):
    torch_writer.write(str(tmp_path / "some.pt"), NESTED)
    file = io.BytesIO()
    torch_writer.write(file, NESTED)
    assert file.getvalue() == (tmp_path / "some.pt").read_bytes()


@pytest.mark.parametrize(
    "tensors, reason",
    [
        ({"x": np.zeros(1, complex)}, "x: torch has no tensors of complex128"),
        ({"x": np.array(["a"])}, "no tensors of"),
        ({"x": {"y": None}}, "y: torch has no tensors of object"),
        ({1: np.zeros(1)}, "Expected names of tensors. Received: 1"),
    ],
)
def test_what_is_no_tensor_is_not_written(tensors, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        torch_writer.write(tmp_path / "some.pt", tensors)
    assert os.listdir(tmp_path) == []


SAFETENSORS = struct.pack("<Q", 2) + b"{}"


def test_safetensors_without_their_package_are_refused(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    check_refused(written(SAFETENSORS), "needs the safetensors package: pip install safetensors")


@pytest.fixture
def package(monkeypatch):
    """Stands for the package; `tensors` is what it finds in a file, or the error it raises."""
    module = types.ModuleType("safetensors")
    module.SafetensorError = type("SafetensorError", (Exception,), {})

    def deserialize(content):
        assert content == SAFETENSORS
        if isinstance(module.tensors, Exception):
            raise module.tensors
        return module.tensors

    module.deserialize = deserialize
    monkeypatch.setitem(sys.modules, "safetensors", module)
    return module


def safe(dtype, array):
    return {"dtype": dtype, "shape": list(array.shape), "data": bytearray(array.tobytes())}


def test_safetensors_are_read_by_their_package(written, package):
    x = np.arange(6, dtype="f4").reshape(2, 3)
    package.tensors = [
        ("genA2B.FC.0.weight", safe("F32", x)),
        ("half", safe("BF16", BFLOAT16)),
        ("on", safe("BOOL", np.array([True, False]))),
    ]
    read = torch_file.read(written(SAFETENSORS))
    np.testing.assert_array_equal(read["genA2B.FC.0.weight"], x, strict=True)
    np.testing.assert_array_equal(read["half"], np.array([1, -2, np.inf], "f4"), strict=True)
    np.testing.assert_array_equal(read["on"], np.array([True, False]), strict=True)
    assert all(array.flags.writeable for array in read.values())


def test_damaged_safetensors_are_refused(written, package):
    package.tensors = package.SafetensorError("incomplete metadata")
    check_refused(written(SAFETENSORS), "it is damaged (incomplete metadata)")


def test_safetensors_of_numbers_that_numpy_lacks_are_refused(written, package):
    package.tensors = [("x", safe("F8_E4M3", np.zeros(2, "u1")))]
    check_refused(written(SAFETENSORS), "x has numbers of the type F8_E4M3")
