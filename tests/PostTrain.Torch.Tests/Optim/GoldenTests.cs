using System.Text.Json;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Optim;

/// <summary>Optimisers and gradient clipping against PyTorch's own numbers (tests/golden/optim.json).</summary>
[Collection("Sequential")]
public class GoldenTests
{
    private static readonly Dictionary<string, JsonElement> Cases = Golden.Cases("optim").ToDictionary(entry => entry.GetProperty("id").GetString()!);

    // What TorchSharp's API lacks or the engine leaves out, and schedules that are no closed formula of one line.
    private static readonly string[] LeftOut =
    [
        "torch.optim.RMSprop", "torch.optim.Adagrad", "torch.optim.Muon", "Adafactor",
        "get_cosine_with_hard_restarts_schedule_with_warmup", "get_cosine_with_min_lr_schedule_with_warmup", "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
        "get_polynomial_decay_schedule_with_warmup", "get_wsd_schedule",
    ];

    public static TheoryData<string> Ids => [.. Cases.Where(entry => !LeftOut.Any(name => Peer(entry.Value).EndsWith(name, StringComparison.Ordinal))).Select(entry => entry.Key)];

    [Theory]
    [MemberData(nameof(Ids))]
    public void Case_OfTheReference_ComesOutTheSame(string id)
    {
        using var scope = NewDisposeScope();
        var entry = Cases[id];
        switch (entry.GetProperty("kind").GetString())
        {
            case "optimizer":
                CheckOptimizer(entry);
                break;
            case "clip_grad_norm":
                CheckClipping(entry);
                break;
            case "schedule":
                CheckSchedule(entry);
                break;
            case "sync_ref":
                CheckMixing(entry);
                break;
            case var kind:
                Assert.Fail($"The kind \"{kind}\" is not known here.");
                break;
        }
    }

    private static void CheckOptimizer(JsonElement entry)
    {
        var parameters = entry.GetProperty("inputs").GetProperty("start").EnumerateArray().Select(value => new Parameter(Golden.Tensor(value))).ToArray();
        using var optimizer = Make(Peer(entry), parameters, entry.GetProperty("params"));
        int step = 0;
        foreach (var gradients in entry.GetProperty("inputs").GetProperty("grads").EnumerateArray())
        {
            foreach (var (parameter, gradient) in parameters.Zip(gradients.EnumerateArray())) parameter.grad = Golden.Tensor(gradient);
            optimizer.step();
            foreach (var (parameter, expected) in parameters.Zip(entry.GetProperty("expected").GetProperty("params")[step].EnumerateArray()))
                Numbers.Same(Golden.Tensor(expected), parameter, Golden.Tolerance(expected));
            step++;
        }
        Assert.True(step > 0);
    }

    private static string Peer(JsonElement entry) => entry.GetProperty("peer").GetString()!;

    private static optim.Optimizer Make(string peer, Parameter[] parameters, JsonElement settings)
    {
        double Setting(string key, double otherwise = 0) => Golden.Number(settings, key, otherwise);
        double Beta(int i) => settings.GetProperty("betas")[i].GetDouble();
        bool Flag(string key) => Golden.Flag(settings, key);
        double rate = Setting("lr");
        return peer switch
        {
            "torch.optim.AdamW" => optim.AdamW(parameters, rate, Beta(0), Beta(1), Setting("eps", 1e-8), Setting("weight_decay"), Flag("amsgrad"), Flag("maximize")),
            "torch.optim.Adam" => optim.Adam(parameters, rate, Beta(0), Beta(1), Setting("eps", 1e-8), Setting("weight_decay"), Flag("amsgrad"), Flag("maximize")),
            "torch.optim.SGD" => optim.SGD(parameters, rate, Setting("momentum"), Setting("dampening"), Setting("weight_decay"), Flag("nesterov"), Flag("maximize")),
            _ => throw new InvalidDataException($"The optimiser \"{peer}\" is not known here."),
        };
    }

    private static void CheckClipping(JsonElement entry)
    {
        var gradients = entry.GetProperty("inputs").GetProperty("grads").EnumerateArray().Select(Golden.Tensor).ToArray();
        var parameters = gradients.Select(gradient => new Parameter(zeros_like(gradient)) { grad = gradient }).ToArray();
        var settings = entry.GetProperty("params");

        double norm = nn.utils.clip_grad_norm_(parameters, Golden.Number(settings, "max_norm", 0), Golden.Number(settings, "norm_type", 2));

        Numbers.Same([Golden.Number(entry.GetProperty("expected").GetProperty("total_norm"))], [norm]);
        foreach (var (parameter, expected) in parameters.Zip(entry.GetProperty("expected").GetProperty("grads").EnumerateArray()))
            Numbers.Same(Golden.Tensor(expected), parameter.grad!, Golden.Tolerance(expected));
    }

    private static void CheckSchedule(JsonElement entry)
    {
        var settings = entry.GetProperty("params");
        double rate = Golden.Number(settings, "base_lr", 0);
        int warmup = (int)Golden.Number(settings, "num_warmup_steps", 0), total = (int)Golden.Number(settings, "num_training_steps", 0);
        using var optimizer = optim.SGD([new Parameter(zeros(1))], rate);
        double Warm(int t) => t < warmup ? (double)t / warmup : 1;
        double Left(int t) => Math.Max(0, (double)(total - t) / Math.Max(1, total - warmup));
        Func<int, double> factor = settings.GetProperty("schedule").GetString() switch
        {
            "constant" => _ => 1,
            "constant_with_warmup" => Warm,
            "linear" => t => t < warmup ? Warm(t) : Left(t),
            "inverse_sqrt" => t => t < warmup ? Warm(t) : 1 / Math.Sqrt((double)t / warmup),
            "cosine" => t => t < warmup ? Warm(t) : 0.5 * (1 + Math.Cos(Math.PI * (t - warmup) / (total - warmup))),
            var name => throw new InvalidDataException($"The schedule \"{name}\" is not known here."),
        };
        var schedule = optim.lr_scheduler.LambdaLR(optimizer, factor);
        foreach (var expected in entry.GetProperty("expected").GetProperty("lr").EnumerateArray())
        {
            Numbers.Same([expected.GetDouble()], [.. schedule.get_last_lr()], 1e-12);
            Assert.Equal(schedule.get_last_lr().Single(), optimizer.ParamGroups.Single().LearningRate);
            schedule.step();
        }
    }

    private static void CheckMixing(JsonElement entry)
    {
        var inputs = entry.GetProperty("inputs");
        var expected = entry.GetProperty("expected").GetProperty("ref");
        var reference = nn.Linear(new Parameter(Golden.Tensor(inputs.GetProperty("ref"))));
        double alpha = Golden.Number(entry.GetProperty("params"), "alpha", 0);
        using (no_grad()) reference.weight.mul_(1 - alpha).add_(Golden.Tensor(inputs.GetProperty("policy")), alpha);
        Numbers.Same(Golden.Tensor(expected), reference.weight, Golden.Tolerance(expected));
    }
}
