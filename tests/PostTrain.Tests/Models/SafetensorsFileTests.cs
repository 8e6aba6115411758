using System.Buffers.Binary;
using System.Text;
using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    // A file as the format's text describes it, written by hand: two little-endian float32 numbers.
    private static byte[] File(string header, params byte[] data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        return [.. length, .. json, .. data];
    }

    [Fact]
    public void Read_HandWrittenFile_GivesItsNumbers()
    {
        using var scope = NewDisposeScope();
        var path = directory.Write(
            "hand.safetensors",
            File(
                """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,"""
                    + """8]},"b":{"dtype":"BOOL","shape":[],"data_offsets":[8,9]}}   """,
                0,
                0,
                0x80,
                0x3F,
                0,
                0,
                0,
                0xC0,
                7
            )
        );
        using var file = SafetensorsFile.Open(path);
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(["a", "b"], file.Entries.Select(entry => entry.Name));
        Assert.Equal([1f, -2f], file.Read("a").data<float>().ToArray());
        Assert.True(file.Read("b").ToBoolean());
        Assert.Throws<KeyNotFoundException>(() => file.Read("c"));
    }

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Int64)]
    [InlineData(ScalarType.Int32)]
    [InlineData(ScalarType.Int16)]
    [InlineData(ScalarType.Int8)]
    [InlineData(ScalarType.Byte)]
    [InlineData(ScalarType.Bool)]
    public void Write_AnyType_ReadsBackTheSame(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var matrix = arange(6, dtype: ScalarType.Float64).sub(1.5).to_type(type).reshape(2, 3);
        var empty = zeros([0, 4], dtype: type);
        var path = directory.File("types.safetensors");
        SafetensorsFile.Write(path, [("matrix", matrix), ("turned", matrix.t()), ("empty", empty)]);
        using var file = SafetensorsFile.Open(path);
        foreach (var (name, expected) in new[] { ("matrix", matrix), ("turned", matrix.t()), ("empty", empty) })
        {
            var read = file.Read(name);
            Assert.Equal(type, read.dtype);
            Assert.Equal(expected.shape, read.shape);
            Assert.Equal(expected.contiguous().bytes.ToArray(), read.bytes.ToArray());
        }

        Assert.Equal(0, file.Entries.Min(entry => entry.Offset) % 8);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16, ScalarType.Float32)]
    [InlineData(ScalarType.Float16, ScalarType.Float32)]
    [InlineData(ScalarType.Float64, ScalarType.Float32)]
    [InlineData(ScalarType.Float32, ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32, ScalarType.Float64)]
    [InlineData(ScalarType.Float32, ScalarType.Float32)]
    [InlineData(ScalarType.Int64, ScalarType.Int32)]
    [InlineData(ScalarType.Bool, ScalarType.Float32)]
    public void ReadInto_ConvertsAndTurns_AcrossTheBordersOfPieces(ScalarType stored, ScalarType wanted)
    {
        using var scope = NewDisposeScope();
        // More elements than a piece holds bytes of any type, and a row length that divides no piece.
        long rows = SafetensorsFile.PieceBytes / 1000 + 3;
        var values = arange(rows * 1003, dtype: ScalarType.Int64).remainder(509).sub(100).reshape(rows, 1003).to_type(stored);
        var path = directory.File("pieces.safetensors");
        SafetensorsFile.Write(path, [("before", ones(3)), ("values", values), ("z", ones(5, dtype: ScalarType.Byte))]);
        using var file = SafetensorsFile.Open(path);
        var straight = zeros([rows, 1003], dtype: wanted);
        var turned = zeros([1003, rows], dtype: wanted);
        file.ReadInto("values", straight);
        file.ReadInto("values", turned.t());
        Assert.True(straight.eq(values.to_type(wanted)).all().ToBoolean());
        Assert.True(turned.t().eq(straight).all().ToBoolean());
    }

    [Fact]
    public void ReadInto_LeavesNothingBehind_AndRefusesAnotherShape()
    {
        using var matrix = ones(3, 2);
        var path = directory.File("small.safetensors");
        SafetensorsFile.Write(path, [("m", matrix)]);
        using var file = SafetensorsFile.Open(path);
        Ownership.Check(() => [file.Read("m")]);
        using var target = zeros([3, 2], dtype: ScalarType.Float64);
        // The first conversion makes the file's buffer, which lives as long as the file.
        file.ReadInto("m", target);
        Ownership.Check(() =>
        {
            file.ReadInto("m", target);
            return [];
        });
        TensorAssert.Close([1, 1, 1, 1, 1, 1], target, 0);
        using var other = zeros(2, 3);
        Assert.Contains(
            "[2,3], expected [3,2]",
            Assert.Throws<ArgumentException>(() => file.ReadInto("m", other)).Message,
            StringComparison.Ordinal
        );
    }

    [LinuxFact]
    public void Read_FileThatWasCutAfterwards_EndsInAnError()
    {
        using var scope = NewDisposeScope();
        var path = directory.File("cut.safetensors");
        SafetensorsFile.Write(path, [("a", ones(1 << 14)), ("b", ones(1 << 14))]);
        using var file = SafetensorsFile.Open(path);
        // A writer that is not .NET's, which would ask for the lock.
        using (var process = System.Diagnostics.Process.Start("truncate", ["-s", "70000", path]))
            process.WaitForExit();
        Assert.Equal(1 << 14, file.Read("a").sum().ToDouble());
        Assert.Contains(path, Assert.Throws<EndOfStreamException>(() => file.Read("b")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PointerOfGitLfs_IsNamedAsOne()
    {
        var path = directory.Write("pointer.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n");
        Assert.Contains(
            "git lfs pull",
            Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Write_AsType_ConvertsNumbersAndLeavesIds()
    {
        using var scope = NewDisposeScope();
        var path = directory.File("half.safetensors");
        SafetensorsWriter.Write(
            path,
            [("ids", arange(3)), ("w", tensor(new[] { 1.0f, 1.00390625f, 3.140625f }))],
            null,
            ScalarType.BFloat16
        );
        using var file = SafetensorsFile.Open(path);
        Assert.Equal([ScalarType.Int64, ScalarType.BFloat16], file.Entries.Select(entry => entry.Type));
        // 1 + 1/256 lies between two bfloat16 numbers and goes to the even one.
        TensorAssert.Close([1, 1, 3.140625], file.Read("w"), 0);
    }

    [Fact]
    public void Write_ReservedOrDoubleName_IsRefusedAndNothingIsWritten()
    {
        using var scope = NewDisposeScope();
        var path = directory.File("none.safetensors");
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(path, [("__metadata__", ones(1))]));
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(path, [("a", ones(1)), ("a", ones(1))]));
        Assert.Empty(Directory.GetFiles(directory.Path));
    }

    public static TheoryData<string, string> BrokenHeaders =>
        new()
        {
            { "[]", "expected an object" },
            { "{", "not JSON" },
            { """{"a":1}""", "expected an object" },
            { """{"a":{"shape":[2],"data_offsets":[0,8]}}""", "no dtype" },
            { """{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", "unknown dtype 'F31'" },
            { """{"a":{"dtype":"F32","data_offsets":[0,8]}}""", "no shape" },
            { """{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "-2 in its shape" },
            { """{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}}""", "1.5 in its shape" },
            { """{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", "overflows" },
            { """{"a":{"dtype":"F32","shape":[0,4611686018427387904,4611686018427387904],"data_offsets":[0,0]}}""", "overflows" },
            { """{"a":{"dtype":"F32","shape":[2]}}""", "no data_offsets" },
            { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", "expected 2" },
            { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "inside the 8 bytes" },
            { """{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", "inside the 8 bytes" },
            { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}""", "expected 4 for F32 [1]" },
            {
                """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""",
                "overlaps"
            },
            { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "gap of 4 bytes" },
            { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "4 bytes follow" },
            {
                """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""",
                "'a' occurs twice"
            },
            { """{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "field 'dtype' twice" },
            { """{"__metadata__":{"n":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "expected a string" },
            { """{"__metadata__":[],"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "object of strings" },
            { """{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "not valid text" },
        };

    [Theory]
    [MemberData(nameof(BrokenHeaders))]
    public void Open_BrokenHeader_NamesFileAndReason(string header, string reason)
    {
        var path = directory.Write("broken.safetensors", File(header, new byte[8]));
        var error = Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0UL, 7, "7 bytes")]
    [InlineData(9UL, 16, "only 8 follow")]
    [InlineData(100_000_001UL, 16, "limit is 100000000")]
    [InlineData(ulong.MaxValue, 16, "limit is 100000000")]
    public void Open_ImpossibleLength_IsRefused(ulong headerLength, int fileLength, string reason)
    {
        var bytes = new byte[Math.Max(8, fileLength)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, headerLength);
        var path = directory.Write("length.safetensors", bytes[..fileLength]);
        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path)).Message, StringComparison.Ordinal);
    }
}
