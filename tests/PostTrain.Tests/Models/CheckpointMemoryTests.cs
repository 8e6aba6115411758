using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using PostTrain.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>How much memory loading takes at its peak, by the kernel's own count: the model and little more, never the model
/// twice.</summary>
[Collection("Sequential")]
public sealed class CheckpointMemoryTests(ITestOutputHelper output) : IDisposable
{
    private const int Hidden = 512,
        Inner = 2048,
        Vocabulary = 24000,
        Context = 64;

    // What a reader takes more that reads one tensor whole and then converts it.
    private const long LargestTensor = 4L * Vocabulary * Hidden;

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    // Files of the right length that the file system fills with zeros: hundreds of megabytes at no cost.
    [LinuxTheory]
    [InlineData("llama", "F32", 4, null, 1)]
    [InlineData("llama", "F32", 4, null, 5)]
    [InlineData("llama", "BF16", 2, ScalarType.Float32, 1)]
    [InlineData("llama", "F64", 8, ScalarType.Float32, 1)]
    [InlineData("gpt2", "F32", 4, null, 1)]
    public void Load_TakesTheModelAndLittleMore(string architecture, string type, int bytes, ScalarType? wanted, int shards)
    {
        var tensors = architecture == "llama" ? Llama(9) : Gpt2(12);
        directory.Write(
            "config.json",
            architecture == "llama"
                ? Invariant($$"""{"model_type":"llama","vocab_size":{{Vocabulary}},"max_position_embeddings":{{Context}}, """)
                    + Invariant($$"""  "hidden_size":{{Hidden}},"intermediate_size":{{Inner}}, """)
                    + """  "num_hidden_layers":9,"num_attention_heads":8,"tie_word_embeddings":true}"""
                : Invariant($$"""{"model_type":"gpt2","vocab_size":{{Vocabulary}},"n_positions":{{Context}},"n_embd":{{Hidden}}, """)
                    + """  "n_layer":12,"n_head":8}"""
        );
        WriteZeros(tensors, type, bytes, shards);
        var size = tensors.Sum(tensor => tensor.Shape.Aggregate(4L, (product, count) => product * count));
        Assert.InRange(size, 180L << 20, 240L << 20);

        WarmUp();
        PostTrain.Models.Decoder? model = null;
        var (kept, most) = Measure(() => model = Pretrained.Load(directory.Path, wanted));
        using (model)
        {
            output.WriteLine(
                $"{architecture} {type} in {shards} files: {most >> 20} MiB at the peak, {kept >> 20} MiB kept, for a model "
                    + $"of {size >> 20} MiB"
            );
            Assert.Equal(size / 4, model!.parameters().Sum(parameter => parameter.numel()));
            Assert.True(kept > size / 2, $"the measurement sees {kept >> 20} MiB where the model has {size >> 20}");
            Assert.True(kept < size + LargestTensor, $"{kept >> 20} MiB are kept of a model of {size >> 20} MiB");
            Assert.True(
                most - kept < LargestTensor,
                $"{most >> 20} MiB at the peak and {kept >> 20} MiB after it, expected less than the largest tensor's "
                    + $"{LargestTensor >> 20} between them"
            );
        }
    }

    // The first load of a process brings the native libraries and compiled methods into memory.
    private static void WarmUp()
    {
        using var small = new TemporaryDirectory();
        foreach (var name in new[] { "llama", "gpt2" })
        {
            using var model = TinyModels.Create(name);
            Pretrained.Save(model, small.Path, new SaveOptions { MaxShardBytes = 4000 });
            Pretrained.Load(small.Path, ScalarType.Float32).Dispose();
        }
    }

    private static List<(string Name, int[] Shape)> Llama(int layers)
    {
        var tensors = new List<(string, int[])> { ("model.embed_tokens.weight", [Vocabulary, Hidden]), ("model.norm.weight", [Hidden]) };
        for (var i = 0; i < layers; i++)
        {
            var layer = Invariant($"model.layers.{i}.");
            tensors.AddRange([(layer + "input_layernorm.weight", [Hidden]), (layer + "post_attention_layernorm.weight", [Hidden])]);
            tensors.AddRange(
                new[] { "q", "k", "v", "o" }.Select(part => ($"{layer}self_attn.{part}_proj.weight", new[] { Hidden, Hidden }))
            );
            tensors.AddRange([
                (layer + "mlp.gate_proj.weight", [Inner, Hidden]),
                (layer + "mlp.up_proj.weight", [Inner, Hidden]),
                (layer + "mlp.down_proj.weight", [Hidden, Inner]),
            ]);
        }

        return tensors;
    }

    private static List<(string Name, int[] Shape)> Gpt2(int layers)
    {
        var tensors = new List<(string, int[])>
        {
            ("wte.weight", [Vocabulary, Hidden]),
            ("wpe.weight", [Context, Hidden]),
            ("ln_f.weight", [Hidden]),
            ("ln_f.bias", [Hidden]),
        };
        for (var i = 0; i < layers; i++)
        {
            var layer = Invariant($"h.{i}.");
            tensors.AddRange([
                (layer + "attn.c_attn.weight", [Hidden, 3 * Hidden]),
                (layer + "attn.c_attn.bias", [3 * Hidden]),
                (layer + "attn.c_proj.weight", [Hidden, Hidden]),
                (layer + "attn.c_proj.bias", [Hidden]),
            ]);
            tensors.AddRange([
                (layer + "mlp.c_fc.weight", [Hidden, Inner]),
                (layer + "mlp.c_fc.bias", [Inner]),
                (layer + "mlp.c_proj.weight", [Inner, Hidden]),
                (layer + "mlp.c_proj.bias", [Hidden]),
            ]);
            tensors.AddRange(
                new[] { "ln_1", "ln_2" }.SelectMany(norm =>
                    new[] { ($"{layer}{norm}.weight", new[] { Hidden }), ($"{layer}{norm}.bias", [Hidden]) }
                )
            );
        }

        return tensors;
    }

    private void WriteZeros(List<(string Name, int[] Shape)> tensors, string type, int bytes, int shards)
    {
        var parts = tensors.Chunk((tensors.Count + shards - 1) / shards).ToArray();
        var map = new List<string>();
        for (var part = 0; part < parts.Length; part++)
        {
            var name = shards == 1 ? "model.safetensors" : Invariant($"model-{part + 1:D5}-of-{parts.Length:D5}.safetensors");
            long offset = 0;
            var header = Encoding.UTF8.GetBytes(
                "{"
                    + string.Join(
                        ",",
                        parts[part]
                            .Select(tensor =>
                            {
                                var start = offset;
                                offset += tensor.Shape.Aggregate((long)bytes, (product, count) => product * count);
                                map.Add($"\"{tensor.Name}\":\"{name}\"");
                                var shape = string.Join(",", tensor.Shape);
                                return Invariant($"\"{tensor.Name}\":{{\"dtype\":\"{type}\",\"shape\":[{shape}],")
                                    + Invariant($"\"data_offsets\":[{start},{offset}]}}");
                            })
                    )
                    + "}"
            );
            using var stream = File.Create(directory.File(name));
            var length = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            stream.SetLength(8 + header.Length + offset);
        }

        if (shards > 1)
            directory.Write("model.safetensors.index.json", "{\"weight_map\":{" + string.Join(",", map) + "}}");
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    // Resets the peak of the resident size (clear_refs 5, man 5 proc) and runs; how much more is resident afterwards, and was at the most.
    // What earlier tests left and is freed on the way makes both smaller by the same, so that their difference holds whatever ran before.
    private static (long Kept, long Most) Measure(Action action)
    {
        for (var round = 0; round < 2; round++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        _ = Trim(0);
        File.WriteAllText("/proc/self/clear_refs", "5");
        var before = Resident("VmRSS:");
        action();
        return (Resident("VmRSS:") - before, Resident("VmHWM:") - before);
    }

    [DllImport("libc", EntryPoint = "malloc_trim")]
    private static extern int Trim(nuint padding);

    private static long Resident(string field) =>
        1024
        * long.Parse(
            File.ReadLines("/proc/self/status")
                .Single(line => line.StartsWith(field, StringComparison.Ordinal))
                .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture
        );
}
