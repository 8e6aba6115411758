using System.Text.Json;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>Checkpoints as transformers writes them, and what transformers computes with them: every case of the golden area "models".</summary>
public sealed class ModelGoldenTests
{
    // Architectures and features that the decoder does not have; loading must say so.
    private static readonly HashSet<string> NotYet =
        ["llama3-rope", "qwen2", "qwen3", "mistral-window", "gemma2", "llama-reward"];

    private static readonly string Root = Find();

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable("POSTTRAIN_GOLDEN") is { Length: > 0 } given)
            return given;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "tests", "golden");
            if (Directory.Exists(candidate))
                return candidate;
        }

        throw new DirectoryNotFoundException($"There is no tests/golden above {AppContext.BaseDirectory}; set POSTTRAIN_GOLDEN.");
    }

    private static List<JsonElement> Cases()
    {
        var path = Path.Combine(Root, "models.json");
        if (!File.Exists(path))
            return [];
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        return [.. json.RootElement.Clone().GetProperty("cases").EnumerateArray()];
    }

    public static TheoryData<string> Runnable => [.. Cases().Select(item => item.GetProperty("id").GetString()!).Where(id => !NotYet.Contains(id)).DefaultIfEmpty("none")];

    private static string DirectoryOf(JsonElement item) => Path.Combine(Root, item.GetProperty("params").GetProperty("dir").GetString()!);

    [Theory]
    [MemberData(nameof(Runnable))]
    public void Case_GivesTheReferencesNumbers(string id)
    {
        if (id == "none")
            return;
        using var scope = NewDisposeScope();
        var item = Assert.Single(Cases(), item => item.GetProperty("id").GetString() == id);
        Assert.Equal("model", item.GetProperty("kind").GetString());
        var half = item.GetProperty("params").GetProperty("dtype").GetString() == "bfloat16";
        var directory = DirectoryOf(item);
        using var expected = SafetensorsFile.Open(Path.Combine(directory, "expected.safetensors"));
        using var wide = Pretrained.Load(directory, ScalarType.Float64);
        Assert.Equal(item.GetProperty("expected").GetProperty("parameters").GetInt64(), wide.parameters().Sum(parameter => parameter.numel()));
        if (half)
        {
            CheckHalf(Pretrained.Load(directory), wide, expected);
            return;
        }

        using var model = Pretrained.Load(directory, ScalarType.Float32);
        Check(model, expected, 1e-4);
        Check(wide, expected, 1e-4);
    }

    // Each operator rounds to 8 bits, in another order than the reference's: what can be asked is to be as near to the exact logits as the reference is.
    private static void CheckHalf(Decoder half, Decoder exact, SafetensorsFile expected)
    {
        using (half)
        {
            Assert.Equal(ScalarType.BFloat16, half.TokenEmbeddings.dtype);
            var ids = expected.Read("input_ids");
            var truth = exact.call(ids);
            double Error(Tensor logits) => (logits.to_type(ScalarType.Float64) - truth).square().mean().sqrt().ToDouble();
            Assert.InRange(Error(half.call(ids)), 0, 1.5 * Error(expected.Read("logits")));
        }
    }

    private static void Check(Decoder model, SafetensorsFile expected, double tolerance)
    {
        var ids = expected.Read("input_ids");
        var logits = model.call(ids);
        TensorAssert.Close(expected.Read("logits"), logits, tolerance, "logits");
        var logProbs = logits.narrow(1, 0, ids.size(1) - 1).log_softmax(-1).gather(2, ids.narrow(1, 1, ids.size(1) - 1).unsqueeze(-1)).squeeze(-1);
        TensorAssert.Close(expected.Read("logps"), logProbs, tolerance, "logps");
        if (expected.TryGetEntry("left.logits", out _))
        {
            var mask = expected.Read("left.attention_mask");
            var real = mask.unsqueeze(-1);
            var left = model.Project(model.Hidden(expected.Read("left.input_ids"), mask));
            TensorAssert.Close(expected.Read("left.logits") * real, left * real, tolerance, "left.logits");
        }

        logProbs.mean().neg().backward();
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (!expected.TryGetEntry("grad." + name, out _))
                continue;
            var reference = expected.Read("grad." + name);
            var transposed = PostTrain.Models.HuggingFace.CheckpointWeights.IsTransposed(model.Config.Naming, name);
            TensorAssert.Close(transposed ? reference.t() : reference, parameter.grad!, tolerance, "grad." + name);
        }
    }

    [Theory]
    [MemberData(nameof(Runnable))]
    public void Case_ContinuesGreedilyAsTheReference(string id)
    {
        if (id == "none")
            return;
        using var scope = NewDisposeScope();
        var item = Assert.Single(Cases(), item => item.GetProperty("id").GetString() == id);
        var directory = DirectoryOf(item);
        using var expected = SafetensorsFile.Open(Path.Combine(directory, "expected.safetensors"));
        using var model = Pretrained.Load(directory);
        foreach (var prefix in new[] { "", "left." })
        {
            if (!expected.TryGetEntry(prefix + "generated", out var entry))
                continue;
            var reference = expected.Read(prefix + "generated");
            var (prompts, length) = Prompts(expected, prefix, reference);
            var count = (int)entry.Shape[1] - length;
            var options = new SamplingOptions { Temperature = 0, MaxNewTokens = count, StopTokens = model.Config.EndOfSequenceIds };
            using var batch = Sampler.Generate(model, prompts, options, seed: 0, paddingId: model.Config.PaddingId!.Value);
            TensorAssert.Same(reference.narrow(1, length, count), batch.Ids.narrow(1, length, batch.Ids.size(1) - length), prefix + "generated");
        }
    }

    // What was continued: the columns that the generated rows begin with.
    private static (List<int[]> Prompts, int Length) Prompts(SafetensorsFile expected, string prefix, Tensor generated)
    {
        var ids = expected.Read(prefix + "input_ids");
        var (rows, width) = ((int)ids.size(0), (int)ids.size(1));
        var mask = prefix.Length == 0 ? ones_like(ids) : expected.Read(prefix + "attention_mask");
        var (tokens, real) = (ids.data<long>().ToArray(), mask.data<long>().ToArray());
        var same = generated.narrow(1, 0, width).eq(ids).all(0).data<bool>().ToArray();
        var length = same.TakeWhile(equal => equal).Count();
        return ([.. Enumerable.Range(0, rows).Select(row =>
            Enumerable.Range(row * width, length).Where(i => real[i] != 0).Select(i => (int)tokens[i]).ToArray())], length);
    }

    [Fact]
    public void Cases_NotYet_AreRefusedWithAReason()
    {
        foreach (var item in Cases().Where(item => NotYet.Contains(item.GetProperty("id").GetString()!) && Directory.Exists(DirectoryOf(item))))
        {
            var error = Record.Exception(() => Pretrained.Load(DirectoryOf(item)));
            Assert.True(error is InvalidDataException or FileNotFoundException, $"{item.GetProperty("id")}: {error}");
        }
    }
}
