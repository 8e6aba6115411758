using System.Text.Json;
using PostTrain.Models;
using PostTrain.Models.HuggingFace;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>models.json: checkpoint directories as transformers writes them, and what it computes with them.</summary>
internal static class ModelsGolden
{
    // On logits and gradients of a whole model in float32.
    private const double Tolerance = 1e-4;

    // Of the unpadded batch, those that the reference continued.
    private const int PromptColumns = 5;

    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind> { ["model"] = new(Model), ["reward_model"] = new(RewardModelGolden.Run) };

    private static void Model(GoldenCase item)
    {
        var directory = Directory(item);
        using var expected = SafetensorsFile.Open(Path.Combine(directory, "expected.safetensors"));
        using var wide = Pretrained.Load(directory, ScalarType.Float64);
        Assert.Equal(item.Json("expected", "parameters").GetInt64(), wide.parameters().Sum(parameter => parameter.numel()));
        switch (item.Text("dtype"))
        {
            case "bfloat16":
                Half(directory, wide, expected);
                return;
            case "float32":
                break;
            case var other:
                throw new NotSupportedException($"dtype is {other}, expected float32 or bfloat16");
        }

        using var model = Pretrained.Load(directory, ScalarType.Float32);
        foreach (var one in new[] { model, wide })
        {
            Values(one, expected);
            Gradients(one, item, expected);
        }

        Greedy(model, expected);
        SavedAgain(wide, expected);
    }

    /// <summary>The case's checkpoint, which is of the family that the case names.</summary>
    internal static string Directory(GoldenCase item)
    {
        string directory = Path.Combine(GoldenFile.Directory, item.Text("dir")!);
        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(directory, "config.json")));
        Assert.Equal(item.Text("model_type"), config.RootElement.GetProperty("model_type").GetString());
        return directory;
    }

    // Each operator rounds to 8 bits, at other places than the reference's: what can be asked is to be as near to the exact logits as the
    // reference is. At some positions a rounding grows several times as much as at the others, so the medians over positions are compared,
    // and the greatest by a wide margin.
    private static void Half(string directory, Decoder exact, SafetensorsFile expected)
    {
        using var half = Pretrained.Load(directory);
        Assert.Equal(ScalarType.BFloat16, half.TokenEmbeddings.dtype);
        var ids = expected.Read("input_ids");
        var truth = exact.call(ids);
        var (found, wanted) = (Errors(half.call(ids)), Errors(expected.Read("logits")));
        Assert.InRange(found[found.Length / 2], 0, 1.3 * wanted[wanted.Length / 2]);
        Assert.InRange(found[^1], 0, 4 * wanted[^1]);

        // Root mean square over the vocabulary at each position, ascending.
        double[] Errors(Tensor logits) =>
            [.. (logits.to_type(ScalarType.Float64) - truth).square().mean([2L]).sqrt().view(-1).data<double>().ToArray().Order()];
    }

    private static void Values(Decoder model, SafetensorsFile expected)
    {
        var ids = expected.Read("input_ids");
        TensorAssert.Close(expected.Read("logits"), model.call(ids), Tolerance, "logits");
        // Learned positions are added in the reference's first hidden state already.
        if (model.Config.Attention[0].Rotary is not null)
            TensorAssert.Close(expected.Read("hidden.0"), model.Embed(ids), Tolerance, "hidden.0");
        TensorAssert.Close(expected.Read($"hidden.{model.Config.Layers}"), model.Hidden(ids), Tolerance, "the last hidden state");
        if (!expected.TryGetEntry("left.logits", out _))
            return;
        var mask = expected.Read("left.attention_mask");
        var real = mask.unsqueeze(-1);
        var left = model.Project(model.Hidden(expected.Read("left.input_ids"), mask));
        TensorAssert.Close(expected.Read("left.logits") * real, left * real, Tolerance, "left.logits");
    }

    private static void Gradients(Decoder model, GoldenCase item, SafetensorsFile expected)
    {
        var ids = expected.Read("input_ids");
        var next = ids.narrow(1, 1, ids.size(1) - 1);
        var logProbs = model.call(ids).narrow(1, 0, ids.size(1) - 1).log_softmax(-1).gather(2, next.unsqueeze(-1)).squeeze(-1);
        TensorAssert.Close(expected.Read("logps"), logProbs, Tolerance, "logps");
        var loss = logProbs.mean().neg();
        TensorAssert.Close(item.ExpectedNumber("loss"), loss, Tolerance, "loss");
        loss.backward();
        var parameters = model.named_parameters().ToDictionary(item => item.name, item => item.parameter);
        foreach (var entry in expected.Entries.Where(entry => entry.Name.StartsWith("grad.", StringComparison.Ordinal)))
        {
            var name = entry.Name["grad.".Length..];
            var reference = expected.Read(entry.Name);
            TensorAssert.Close(
                CheckpointWeights.IsTransposed(model.Config.Naming, name) ? reference.t() : reference,
                parameters[name].grad!,
                Tolerance,
                entry.Name
            );
        }
    }

    // With cached keys and values; after an end of sequence the reference pads.
    private static void Greedy(Decoder model, SafetensorsFile expected)
    {
        foreach (var prefix in new[] { "", "left." })
        {
            if (!expected.TryGetEntry(prefix + "generated", out _))
                continue;
            var generated = expected.Read(prefix + "generated");
            var (prompts, length) = Prompts(expected, prefix, generated);
            var count = (int)generated.size(1) - length;
            var options = new SamplingOptions
            {
                Temperature = 0,
                MaxNewTokens = count,
                StopTokens = model.Config.EndOfSequenceIds,
            };
            using var batch = Sampler.Generate(model, prompts, options, seed: 0, paddingId: model.Config.PaddingId!.Value);
            TensorAssert.Same(
                generated.narrow(1, length, count),
                batch.Ids.narrow(1, length, batch.Ids.size(1) - length),
                prefix + "generated"
            );
        }
    }

    // The reference continued the first five columns of the unpadded batch, and the whole of the padded one. What it generated may be
    // narrower than the batch.
    private static (List<int[]> Prompts, int Length) Prompts(SafetensorsFile expected, string prefix, Tensor generated)
    {
        var ids = expected.Read(prefix + "input_ids");
        var (rows, width) = ((int)ids.size(0), (int)ids.size(1));
        var mask = prefix.Length == 0 ? ones_like(ids) : expected.Read(prefix + "attention_mask");
        var (tokens, real) = (ids.data<long>().ToArray(), mask.data<long>().ToArray());
        var length = prefix.Length == 0 ? PromptColumns : width;
        TensorAssert.Same(ids.narrow(1, 0, length), generated.narrow(1, 0, length), prefix + "generated begins with its prompts");
        return (
            [
                .. Enumerable
                    .Range(0, rows)
                    .Select(row => Enumerable.Range(row * width, length).Where(i => real[i] != 0).Select(i => (int)tokens[i]).ToArray()),
            ],
            length
        );
    }

    private static void SavedAgain(Decoder model, SafetensorsFile expected)
    {
        using var directory = new TemporaryDirectory();
        Pretrained.Save(model, directory.Path);
        using var again = Pretrained.Load(directory.Path);
        Assert.Equal(model.Config with { EndOfSequenceIds = [] }, again.Config with { EndOfSequenceIds = [] });
        Assert.Equal(model.Config.EndOfSequenceIds, again.Config.EndOfSequenceIds);
        var ids = expected.Read("input_ids");
        TensorAssert.Same(model.call(ids), again.call(ids));
    }
}
