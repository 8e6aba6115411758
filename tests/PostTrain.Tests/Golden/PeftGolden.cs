using System.Text.Json;
using PostTrain.Adapters;
using PostTrain.Adapters.Layers;
using PostTrain.Models;
using PostTrain.Models.HuggingFace;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>peft.json and the directories of peft/: adapters as PEFT writes them, what it computes with them, and what it would write
/// again.</summary>
internal static class PeftGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["adapter"] = new(Run),
            ["init"] = new(Start),
            ["prompt_encoder"] = new(PeftPromptCases.Encoder),
        };

    private static void Run(GoldenCase item)
    {
        if (PeftPromptCases.Holds(item))
            PeftPromptCases.Adapter(item);
        else
            Adapter(item);
    }

    private static void Adapter(GoldenCase item)
    {
        var directory = Path.Combine(GoldenFile.Directory, item.Text("dir")!);
        using var expected = SafetensorsFile.Open(Path.Combine(directory, "expected.safetensors"));
        using var model = Pretrained.Load(Path.Combine(GoldenFile.Directory, "peft", item.Text("base")!));
        var plain = Toy.Bytes(model);
        using var adapted = AdaptedModel.Load(model, directory);
        model.eval();
        var (ids, mask, labels) = (expected.Read("input_ids"), expected.Read("attention_mask"), expected.Read("labels"));
        var real = mask.unsqueeze(-1);

        var logits = model.Project(model.Hidden(ids, mask));
        TensorAssert.Close(expected.Read("logits") * real, logits * real, 1e-4, "logits");
        var loss = Loss(logits, labels) + adapted.OrthogonalityPenalty();
        TensorAssert.Close(item.ExpectedNumber("loss"), loss, 1e-4, "loss");
        loss.backward();
        Gradients(expected, adapted);

        using (adapted.Disabled())
            // The reference's largest change may be at a padded position.
            Assert.InRange(
                ((logits - model.Project(model.Hidden(ids, mask))) * real).abs().max().ToDouble(),
                1e-3,
                item.ExpectedNumber("max_change_of_logits") + 1e-4
            );
        if (item.Json("expected", "merge").GetBoolean())
            Merge(expected, model, adapted, ids, mask);
        Save(directory, adapted);
        adapted.Dispose();
        Assert.Equal(plain, Toy.Bytes(model));
    }

    private static void Gradients(SafetensorsFile expected, AdaptedModel adapted)
    {
        var stored = adapted.Stored("default").ToDictionary(tensor => tensor.Name);
        foreach (var entry in expected.Entries.Where(entry => entry.Name.StartsWith("grad.", StringComparison.Ordinal)))
        {
            var own = stored[entry.Name["grad.".Length..]];
            TensorAssert.Close(expected.Read(entry.Name), own.Transposed ? own.Tensor.grad!.t() : own.Tensor.grad!, 1e-4, entry.Name);
        }
        var known = expected.Entries.Select(entry => entry.Name).ToHashSet();
        foreach (var (name, parameter) in adapted.TrainableParameters)
            Assert.True(
                stored.Values.Any(item => ReferenceEquals(item.Tensor, parameter) && known.Contains("grad." + item.Name)),
                $"{name} is trained here, but the reference has no gradient of it"
            );
    }

    private static void Merge(SafetensorsFile expected, Decoder model, AdaptedModel adapted, Tensor ids, Tensor mask)
    {
        var before = Toy.Bytes(model);
        adapted.Merge();
        using var mode = no_grad();
        var weights = model.named_parameters().ToDictionary(item => item.name, item => item.parameter);
        foreach (var entry in expected.Entries.Where(entry => entry.Name.StartsWith("merged.", StringComparison.Ordinal)))
        {
            var name = entry.Name["merged.".Length..];
            Tensor weight = weights[name];
            TensorAssert.Close(
                expected.Read(entry.Name),
                CheckpointWeights.IsTransposed(model.Config.Naming, name) ? weight.t() : weight,
                1e-5,
                entry.Name
            );
        }
        TensorAssert.Close(
            expected.Read("merged_logits") * mask.unsqueeze(-1),
            model.Project(model.Hidden(ids, mask)) * mask.unsqueeze(-1),
            1e-4,
            "merged logits"
        );
        adapted.Unmerge();
        Assert.Equal(before, Toy.Bytes(model));
    }

    // The same bytes as PEFT's: names, order, shapes, values; every field of the configuration.
    private static void Save(string directory, AdaptedModel adapted)
    {
        using var folder = new TemporaryDirectory();
        adapted.Save(folder.Path);
        Assert.Equal(
            File.ReadAllText(Path.Combine(directory, "adapter_config.json")),
            File.ReadAllText(folder.File("adapter_config.json"))
        );
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(directory, "adapter_model.safetensors")),
            File.ReadAllBytes(folder.File("adapter_model.safetensors"))
        );
    }

    private static Tensor Loss(Tensor logits, Tensor labels)
    {
        var (rows, length) = (logits.size(0), logits.size(1));
        return nn.functional.cross_entropy(
            logits.narrow(1, 0, length - 1).reshape(rows * (length - 1), -1),
            labels.narrow(1, 1, length - 1).reshape(-1)
        );
    }

    // W is given: the start's B A, and what is left of W without it. Signs of singular vectors are free.
    private static void Start(GoldenCase item)
    {
        using var expected = SafetensorsFile.Open(Path.Combine(GoldenFile.Directory, item.Text("dir")!, "expected.safetensors"));
        var rank = (int)item.Parameter("r", 0);
        var scale = item.Parameter("lora_alpha", 0) / rank;
        var kind = item.Text("init_lora_weights")!;
        const string Iterated = "pissa_niter_";
        var start = kind switch
        {
            "pissa" => LoraInitialization.Pissa,
            "olora" => LoraInitialization.Olora,
            "orthogonal" => LoraInitialization.Orthogonal,
            "gaussian" => LoraInitialization.Gaussian,
            _ when kind.StartsWith(Iterated, StringComparison.Ordinal) => LoraInitialization.FastPissa(
                int.Parse(kind[Iterated.Length..], System.Globalization.CultureInfo.InvariantCulture)
            ),
            _ => throw new NotSupportedException($"start '{kind}'"),
        };
        foreach (
            var layer in expected
                .Entries.Where(entry => entry.Name.EndsWith(".W", StringComparison.Ordinal))
                .Select(entry => entry.Name[..^2])
        )
        {
            var weight = expected.Read(layer + ".W");
            var (a, b) = LoraStart.Of(weight, rank, scale, start, new AdapterRandom(3));
            Assert.Equal(expected.Read(layer + ".lora_A").shape, a.shape);
            Assert.Equal(expected.Read(layer + ".lora_B").shape, b.shape);
            var delta = b.matmul(a) * scale;
            TensorAssert.Close(expected.Read(layer + ".residual") + expected.Read(layer + ".delta"), weight, 1e-5, layer);
            if (!start.ShiftsBase)
            {
                // A random start: what is fixed is that B A is 0, up to rounding.
                TensorAssert.Close(new double[delta.numel()], delta, 1e-5, layer + ".delta");
                continue;
            }
            if (start.Iterations > 0)
            {
                // Random, and not quite at the best approximation where singular values lie close: as near to it as the reference is, and
                // not nearer than possible.
                var best = linalg.svdvals(weight).narrow(0, rank, Math.Min(weight.size(0), weight.size(1)) - rank).norm().ToDouble();
                Assert.InRange(
                    (weight - delta).norm().ToDouble(),
                    best * (1 - 1e-5),
                    Math.Max(best * (1 + 1e-4), expected.Read(layer + ".residual").norm().ToDouble())
                );
                continue;
            }
            TensorAssert.Close(expected.Read(layer + ".delta"), delta, 1e-5, layer + ".delta");
            TensorAssert.Close(expected.Read(layer + ".residual"), weight - delta, 1e-5, layer + ".residual");
        }
    }
}
