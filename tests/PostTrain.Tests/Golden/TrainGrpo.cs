using System.Text.Json;
using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>Cases of train.json whose trainer is GRPOTrainer or RLOOTrainer: the recorded batches through the trainer's loss path, optimiser and schedule.</summary>
internal static class TrainGrpo
{
    // On losses, gradient norms and weights, relative to 1 + |expected|.
    private const double Tolerance = 1e-3;

    internal static bool Runs(GoldenCase item) => item.Text("trainer") is "GRPOTrainer" or "RLOOTrainer";

    internal static void Check(GoldenCase item)
    {
        using var model = Pretrained.Load(Path.Combine(GoldenFile.Directory, item.Text("base")!));
        string directory = Path.Combine(GoldenFile.Directory, item.Text("dir")!);
        using var adapted = item.Flag("lora") ? AdaptedModel.Load(model, Path.Combine(directory, "initial")) : null;
        using var optimization = new Optimization(model, Options(item));
        var batches = item.Json("inputs", "batches").EnumerateArray().ToArray();
        var losses = item.ExpectedNumbers("micro_losses");
        var logs = item.Json("expected", "logs").EnumerateArray().ToArray();
        int parts = (int)item.Parameter("gradient_accumulation_steps", 1);
        Assert.Equal(losses.Length, batches.Length);
        Assert.Equal(logs.Length * parts, batches.Length);
        // Where the trainer divides a mean by the accumulation steps, what it returned before is as many times larger.
        double scale = item.Flag("divides_by_accumulation") ? parts : 1;
        model.train();
        for (int step = 0; step < logs.Length; step++)
        {
            var report = optimization.Update(parts, part =>
            {
                int number = (step * parts) + part;
                var loss = Loss(item, model, batches[number], parts);
                Near(losses[number], loss.ToDouble() * scale, $"micro loss {number}");
                return loss;
            });
            Near(logs[step].GetProperty("loss").GetDouble(), report.Loss, $"loss {step + 1}");
            Near(logs[step].GetProperty("grad_norm").GetDouble(), report.GradNorm, $"gradient's norm {step + 1}");
            Assert.Equal(logs[step].GetProperty("learning_rate").GetDouble(), report.LearningRate, 1e-9);
        }
        CheckWeights(model, adapted, Path.Combine(directory, "final.safetensors"));
    }

    private static Tensor Loss(GoldenCase item, CausalLm model, JsonElement batch, int parts)
    {
        Tensor Read(string name) => Tensor(batch.GetProperty(name));
        bool Has(string name) => batch.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null;
        var mask = Read("completion_mask");
        var rows = new RolloutRows(cat([Read("prompt_ids"), Read("completion_ids")], 1), cat([Read("prompt_mask"), mask], 1), mask.to_type(ScalarType.Float32), zeros(mask.shape));
        var logProbs = CompletionScores.Of(model, rows, new SamplingOptions { Temperature = item.Parameter("temperature", 1) }).LogProbs;
        var objective = item.Text("trainer") == "RLOOTrainer"
            ? PolicyObjectives.Rloo(new ClipRange(item.Parameter("epsilon_low", 0.2), item.Parameter("epsilon_high", 0.2)))
            : GrpoGolden.Objective(item);
        var old = Has("old_per_token_logps") ? Read("old_per_token_logps") : Has("old_logps") ? AtFirst(Read("old_logps"), mask) : logProbs.detach();
        bool whole = item.Text("loss_type") is "dapo" or "cispo" or "vespo";
        double denominator = whole ? batch.GetProperty("num_items_in_batch").GetDouble() : objective.Aggregation.Denominator(rows.CompletionMask) * parts;
        return objective.Loss(new PolicyBatch(logProbs, old, Read("advantages"), rows.CompletionMask)
        {
            ReferenceLogProbs = Has("ref_per_token_logps") ? Read("ref_per_token_logps") : null,
        }, denominator).Loss;
    }

    // Of a whole completion only the sum is recorded; the ratio of sequences does not see where it stands.
    private static Tensor AtFirst(Tensor sums, Tensor mask) => where((mask != 0).logical_and(mask.cumsum(1).eq(1)), sums.unsqueeze(1), zeros_like(sums).unsqueeze(1));

    private static GrpoOptions Options(GoldenCase item) => new()
    {
        Steps = (int)item.Parameter("max_steps", 1),
        LearningRate = item.Parameter("learning_rate", 0),
        WarmupSteps = (int)item.Parameter("warmup_steps", 0),
        WeightDecay = item.Parameter("weight_decay", 0),
        MaxGradNorm = item.Parameter("max_grad_norm", 1),
        Beta1 = item.Parameter("adam_beta1", 0.9),
        Beta2 = item.Parameter("adam_beta2", 0.999),
        AdamEpsilon = item.Parameter("adam_epsilon", 1e-8),
        Schedule = item.Text("lr_scheduler_type") switch
        {
            "cosine" => LearningRateSchedule.Cosine,
            "linear" => LearningRateSchedule.Linear,
            "constant" or "constant_with_warmup" => LearningRateSchedule.Constant,
            var other => throw new NotSupportedException($"lr_scheduler_type is {other}, which no test knows"),
        },
    };

    private static void CheckWeights(CausalLm model, AdaptedModel? adapted, string path)
    {
        using var expected = SafetensorsFile.Open(path);
        if (adapted is null)
        {
            var parameters = model.named_parameters().ToDictionary(item => item.name, item => (Tensor)item.parameter);
            foreach (var entry in expected.Entries) TensorAssert.Close(expected.Read(entry.Name), parameters[entry.Name], Tolerance, entry.Name);
            return;
        }
        using var saved = new TemporaryDirectory();
        adapted.Save(saved.Path);
        using var actual = SafetensorsFile.Open(saved.File("adapter_model.safetensors"));
        Assert.Equal(expected.Entries.Count, actual.Entries.Count);
        foreach (var entry in expected.Entries)
            TensorAssert.Close(expected.Read(entry.Name), actual.Read(entry.Name.Replace(".default.", ".", StringComparison.Ordinal)), Tolerance, entry.Name);
    }

    private static void Near(double expected, double actual, string what) =>
        Assert.True(Math.Abs(expected - actual) <= Tolerance * (1 + Math.Abs(expected)), $"{what} is {actual}, expected {expected}");

    private static Tensor Tensor(JsonElement json)
    {
        long[] shape = [.. json.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];
        var data = json.GetProperty("data").EnumerateArray();
        return json.GetProperty("dtype").GetString() switch
        {
            "int64" => tensor(data.Select(item => item.GetInt64()).ToArray()).reshape(shape),
            "float32" => tensor(data.Select(item => item.GetSingle()).ToArray()).reshape(shape),
            var other => throw new NotSupportedException($"tensors of type {other} are not read, expected int64 or float32"),
        };
    }
}
