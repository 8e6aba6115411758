using System.Buffers.Binary;
using System.Text;
using PostTrain.Models.Gguf;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models.Gguf;

/// <summary>The file format: what is written is read, and what is broken is refused by name.</summary>
public sealed class GgufFileTests : IDisposable
{
    private readonly TemporaryDirectory folder = new();

    public void Dispose() => folder.Dispose();

    private static byte[] Bytes(Action<BinaryWriter> write)
    {
        using var buffer = new MemoryStream();
        using var writer = new BinaryWriter(buffer);
        write(writer);
        writer.Flush();
        return buffer.ToArray();
    }

    private static void Text(BinaryWriter writer, string text)
    {
        writer.Write((ulong)Encoding.UTF8.GetByteCount(text));
        writer.Write(Encoding.UTF8.GetBytes(text));
    }

    private static byte[] Header(ulong tensors, ulong entries, Action<BinaryWriter>? rest = null, uint version = 3) =>
        Bytes(writer =>
        {
            writer.Write("GGUF"u8);
            writer.Write(version);
            writer.Write(tensors);
            writer.Write(entries);
            rest?.Invoke(writer);
        });

    private static byte[] Entry(uint type, Action<BinaryWriter> value) =>
        Header(
            0,
            1,
            writer =>
            {
                Text(writer, "key");
                writer.Write(type);
                value(writer);
            }
        );

    private static byte[] Info(uint rank, ulong[] sizes, uint type, ulong offset, int data, string name = "w") =>
        Header(
            1,
            0,
            writer =>
            {
                Text(writer, name);
                writer.Write(rank);
                foreach (var size in sizes)
                    writer.Write(size);
                writer.Write(type);
                writer.Write(offset);
                while (writer.BaseStream.Position % 32 != 0)
                    writer.Write((byte)0);
                writer.Write(new byte[data]);
            }
        );

    public static TheoryData<string, byte[], string> Broken =>
        new()
        {
            { "nothing", [], "ends within the magic number" },
            { "letters", "GGML0000"u8.ToArray(), "the letters GGUF" },
            { "version", Header(0, 0, version: 9), "version 9" },
            { "big endian", Header(0, 0, version: 0x03000000), "big endian" },
            { "many entries", Header(0, ulong.MaxValue), "metadata entries" },
            { "many tensors", Header(1UL << 60, 0), "tensors" },
            {
                "long key",
                Header(
                    0,
                    1,
                    writer =>
                    {
                        writer.Write(1UL << 40);
                        writer.Write(new byte[64]);
                    }
                ),
                "key 0 has 1099511627776 bytes"
            },
            { "unknown value", Entry(77, _ => { }), "the type 77" },
            { "long text", Entry(8, writer => writer.Write(1UL << 25)), "33554432 bytes" },
            {
                "no text",
                Entry(
                    8,
                    writer =>
                    {
                        writer.Write(2UL);
                        writer.Write([0xff, 0xfe]);
                    }
                ),
                "not UTF-8"
            },
            { "bool", Entry(7, writer => writer.Write((byte)2)), "expected 0 or 1" },
            {
                "long list",
                Entry(
                    9,
                    writer =>
                    {
                        writer.Write(4u);
                        writer.Write(1UL << 50);
                    }
                ),
                "elements"
            },
            {
                "deep list",
                Entry(
                    9,
                    writer =>
                    {
                        for (var i = 0; i < 2000; i++)
                        {
                            writer.Write(9u);
                            writer.Write(1UL);
                        }
                    }
                ),
                "arrays more than 4 deep"
            },
            {
                "alignment",
                Header(
                    0,
                    1,
                    writer =>
                    {
                        Text(writer, "general.alignment");
                        writer.Write(4u);
                        writer.Write(24u);
                    }
                ),
                "power of two"
            },
            {
                "key twice",
                Header(
                    0,
                    2,
                    writer =>
                    {
                        for (var i = 0; i < 2; i++)
                        {
                            Text(writer, "k");
                            writer.Write(7u);
                            writer.Write((byte)1);
                        }
                    }
                ),
                "'k' occurs twice"
            },
            { "rank", Info(9, [1], 0, 0, 64), "9 dimensions" },
            { "zero", Info(1, [0], 0, 0, 64), "a size of 0" },
            { "overflow", Info(2, [1UL << 40, 1UL << 40], 0, 0, 64), "no file holds" },
            { "type", Info(1, [4], 5, 0, 64), "the type 5" },
            { "row", Info(1, [33], 8, 0, 64), "multiple of 32" },
            { "outside", Info(1, [100], 0, 0, 64), "takes 400 bytes" },
            { "offset", Info(1, [4], 0, 1UL << 62, 64), "takes 16 bytes" },
            { "odd offset", Info(1, [4], 0, 4, 64), "multiple of 32" },
        };

    [Theory]
    [MemberData(nameof(Broken))]
    public void BrokenFiles_AreRefusedByName(string name, byte[] content, string expected)
    {
        var path = folder.Write($"{name}.gguf", content);
        var message = Assert.Throws<InvalidDataException>(() => GgufFile.Open(path)).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    private string Whole()
    {
        var path = folder.File("whole.gguf");
        GgufWriter.Write(
            path,
            [
                ("a.text", "é\0b"),
                ("a.bool", true),
                ("a.numbers", new[] { 1f, -2.5f }),
                ("a.texts", new[] { "x", "" }),
                ("a.u64", ulong.MaxValue),
                ("a.i8", (sbyte)-3),
            ],
            [
                new GgufSource("w", [3, 64], GgufType.Q8_0, () => Numbers.Uniform(1, 1, 3, 64)),
                new GgufSource("v", [5], GgufType.F32, () => Numbers.Uniform(2, 1, 5)),
            ],
            null,
            default
        );
        return path;
    }

    [Fact]
    public void WhatIsWritten_IsRead()
    {
        using var scope = NewDisposeScope();
        using var file = GgufFile.Open(Whole());
        Assert.Equal(3, file.Version);
        Assert.Equal("é\0b", file.Metadata["a.text"]);
        Assert.Equal(true, file.Metadata["a.bool"]);
        Assert.Equal(new[] { 1f, -2.5f }, file.Metadata["a.numbers"]);
        Assert.Equal(new[] { "x", "" }, file.Metadata["a.texts"]);
        Assert.Equal(ulong.MaxValue, file.Metadata["a.u64"]);
        Assert.Equal((sbyte)-3, file.Metadata["a.i8"]);
        Assert.Equal([3L, 64], file.Tensors[0].Shape);
        TensorAssert.Same(Numbers.Uniform(2, 1, 5).to_type(ScalarType.Float32), file.Read("v"));
        // At most half a step of the largest entry, and the float16 scale's rounding.
        TensorAssert.Close(Numbers.Uniform(1, 1, 3, 64), file.Read("w"), 0.5 / 127 + 1e-3);
        Assert.Throws<KeyNotFoundException>(() => file.Read("x"));
    }

    [Fact]
    public void EveryCut_IsRefused_AndChangedBytesAreReadOrRefused()
    {
        var whole = File.ReadAllBytes(Whole());
        for (var length = 0; length < whole.Length; length += length < 400 ? 1 : 13)
        {
            // What is cut off may be padding behind the last tensor.
            if (length > whole.Length - 32)
                break;
            var path = folder.Write("cut.gguf", whole[..length]);
            Assert.Throws<InvalidDataException>(() => GgufFile.Open(path));
        }

        var random = new Random(3);
        for (var round = 0; round < 1500; round++)
        {
            var changed = (byte[])whole.Clone();
            for (var i = random.Next(1, 4); i > 0; i--)
                changed[random.Next(round % 2 == 0 ? 300 : whole.Length)] = (byte)random.Next(256);
            var path = folder.Write("changed.gguf", changed);
            using var scope = NewDisposeScope();
            try
            {
                using var file = GgufFile.Open(path);
                foreach (var tensor in file.Tensors)
                    file.Read(tensor.Name);
            }
            catch (InvalidDataException exception)
            {
                Assert.StartsWith(path, exception.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void LyingLengths_TakeNoMemory()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var row in Broken)
            Assert.Throws<InvalidDataException>(() => GgufFile.Open(folder.Write("x.gguf", (byte[])row[1])));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    [Fact]
    public void Overlap_IsRefused()
    {
        var path = folder.Write(
            "overlap.gguf",
            Header(
                2,
                0,
                writer =>
                {
                    foreach (var name in (string[])["a", "b"])
                    {
                        Text(writer, name);
                        writer.Write(1u);
                        writer.Write(16UL);
                        writer.Write(0u);
                        writer.Write(name == "a" ? 0UL : 32UL);
                    }

                    writer.Write(new byte[200]);
                }
            )
        );
        Assert.Contains("overlaps", Assert.Throws<InvalidDataException>(() => GgufFile.Open(path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(GgufType.Q8_0)]
    [InlineData(GgufType.Q4_0)]
    [InlineData(GgufType.Q5_0)]
    [InlineData(GgufType.F16)]
    [InlineData(GgufType.BF16)]
    public void Rounding_OfWhatIsRounded_ChangesNothing(GgufType type)
    {
        for (var seed = 0; seed < 50; seed++)
        {
            using var scope = NewDisposeScope();
            var values = Numbers.Uniform(seed, Math.Pow(10, seed % 7 - 3), 4, 32).to_type(ScalarType.Float32).data<float>().ToArray();
            var first = new byte[GgufBlocks.BytesOf(type, values.Length)];
            var (rounded, again) = (new float[values.Length], new float[values.Length]);
            GgufQuantizer.Encode(type, values, first);
            GgufDequantizer.Decode(type, first, rounded);
            var second = new byte[first.Length];
            GgufQuantizer.Encode(type, rounded, second);
            GgufDequantizer.Decode(type, second, again);
            Assert.Equal(rounded, again);
        }
    }
}
