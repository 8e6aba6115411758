using PostTrain.Preference;
using PostTrain.Preference.Batches;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Optimizers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>optim.json: TorchSharp's optimisers and those of the library, schedules, clipping, and the mixing of a reference
/// model.</summary>
internal static class OptimGolden
{
    private const double ScheduleTolerance = 1e-12;

    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["optimizer"] = new(Optimizer),
            ["schedule"] = new(Schedule),
            ["clip_grad_norm"] = new(ClipGradNorm),
            ["sync_ref"] = new(SyncReference),
        };

    private static void Optimizer(GoldenCase item)
    {
        Parameter[] parameters = [.. item.Tensors("inputs", "start").Select(start => new Parameter(start))];
        var (optimizer, step) = Create(item, parameters);
        using var _ = optimizer;
        // Muon's iterations are rounded to bfloat16, where a sum's order can turn a bit over: by so much of the rate.
        double? loose = item.Peer == "torch.optim.Muon" ? GoldenTolerance.Of(ScalarType.BFloat16) * Rate(item) : null;
        int steps = item.Json("inputs", "grads").GetArrayLength();
        for (int i = 0; i < steps; i++)
        {
            foreach (var (parameter, gradient) in parameters.Zip(item.Tensors("inputs", "grads", i)))
                parameter.grad = gradient;
            step();
            foreach (var (parameter, expected) in parameters.Zip(item.Tensors("expected", "params", i)))
                TensorAssert.Close(expected, parameter, loose ?? GoldenTolerance.Of(parameter.dtype), $"parameters after step {i}");
        }
        Assert.True(steps > 0);
    }

    private static (IDisposable Optimizer, Action Step) Create(GoldenCase item, Parameter[] parameters)
    {
        double decay = item.Parameter(
            "weight_decay",
            item.Peer switch
            {
                "torch.optim.AdamW" => 0.01,
                "torch.optim.Muon" => 0.1,
                _ => 0,
            }
        );
        double rate = Rate(item),
            momentum = item.Parameter("momentum", 0),
            epsilon = item.HasParameter("eps") && item.Peer != "transformers.Adafactor" ? item.Parameter("eps", 0) : 1e-8;
        double[] betas = item.HasParameter("betas") ? item.Numbers("betas") : [0.9, 0.999];
        bool amsgrad = item.Flag("amsgrad"),
            maximize = item.Flag("maximize");
        return item.Peer switch
        {
            "torch.optim.AdamW" => Of(optim.AdamW(parameters, rate, betas[0], betas[1], epsilon, decay, amsgrad, maximize)),
            "torch.optim.Adam" => Of(optim.Adam(parameters, rate, betas[0], betas[1], epsilon, decay, amsgrad, maximize)),
            "torch.optim.SGD" => Of(
                optim.SGD(parameters, rate, momentum, item.Parameter("dampening", 0), decay, item.Flag("nesterov"), maximize)
            ),
            "torch.optim.RMSprop" => Of(
                optim.RMSProp(parameters, rate, item.Parameter("alpha", 0.99), epsilon, decay, momentum, item.Flag("centered"), maximize)
            ),
            "torch.optim.Adagrad" => Of(
                optim.Adagrad(
                    parameters,
                    rate,
                    item.Parameter("lr_decay", 0),
                    decay,
                    item.Parameter("initial_accumulator_value", 0),
                    item.Parameter("eps", 1e-10)
                )
            ),
            "transformers.Adafactor" => Of(new Adafactor([new ParameterGroup(parameters, decay, 1)], AdafactorOf(item)), rate),
            "torch.optim.Muon" => Of(new Muon([new ParameterGroup(parameters, decay, 1)], MuonOf(item)), rate),
            var peer => throw new NotSupportedException($"the optimiser is {peer}, expected one of torch.optim or transformers.Adafactor"),
        };
    }

    private static double Rate(GoldenCase item) =>
        item.Parameter("lr", item.Peer is "torch.optim.RMSprop" or "torch.optim.Adagrad" ? 0.01 : 0.001);

    private static (IDisposable, Action) Of(optim.Optimizer optimizer) => (optimizer, () => optimizer.step());

    private static (IDisposable, Action) Of(IParameterOptimizer optimizer, double rate) => (optimizer, () => optimizer.Update(rate));

    private static AdafactorOptions AdafactorOf(GoldenCase item)
    {
        double[] epsilons = item.HasParameter("eps") ? item.Numbers("eps") : [1e-30, 1e-3];
        var options = new AdafactorOptions
        {
            SquareEpsilon = epsilons[0],
            ScaleEpsilon = epsilons[1],
            ClipThreshold = item.Parameter("clip_threshold", 1),
            DecayRate = item.Parameter("decay_rate", -0.8),
            Beta1 = item.HasParameter("beta1") ? item.Parameter("beta1", 0) : null,
            ScaleByParameter = !item.HasParameter("scale_parameter") || item.Flag("scale_parameter"),
            RelativeStep = !item.HasParameter("relative_step") || item.Flag("relative_step"),
            RelativeWarmup = item.Flag("warmup_init"),
        };
        options.Validate();
        return options;
    }

    private static MuonOptions MuonOf(GoldenCase item)
    {
        var options = new MuonOptions
        {
            Momentum = item.Parameter("momentum", 0.95),
            Nesterov = !item.HasParameter("nesterov") || item.Flag("nesterov"),
            Iterations = (int)item.Parameter("ns_steps", 5),
            Epsilon = item.Parameter("eps", 1e-7),
            Rate = item.Text("adjust_lr_fn") switch
            {
                null or "original" => MuonRate.Original,
                "match_rms_adamw" => MuonRate.MatchAdamW,
                var other => throw new NotSupportedException($"adjust_lr_fn is {other}, expected original or match_rms_adamw"),
            },
        };
        if (item.HasParameter("ns_coefficients") && item.Numbers("ns_coefficients") is [var a, var b, var c])
            options = options with { Coefficients = (a, b, c) };
        options.Validate();
        return options;
    }

    private static void Schedule(GoldenCase item)
    {
        double rate = item.Parameter("base_lr", 0);
        long warmup = (long)item.Parameter("num_warmup_steps", 0),
            total = Total(item, warmup);
        var schedule = ScheduleOf(item, rate, total);
        double[] expected = item.ExpectedNumbers("lr");
        for (int step = 0; step < expected.Length; step++)
            Assert.Equal(expected[step], rate * schedule.Multiplier(step, warmup, total), ScheduleTolerance);
        Assert.NotEmpty(expected);
    }

    // A plateau may be given by the length of its parts instead of the whole.
    private static long Total(GoldenCase item, long warmup) =>
        item.HasParameter("num_stable_steps")
            ? warmup + (long)item.Parameter("num_stable_steps", 0) + (long)item.Parameter("num_decay_steps", 0)
            : (long)item.Parameter("num_training_steps", 0);

    private static LearningRateSchedule ScheduleOf(GoldenCase item, double rate, long total)
    {
        double waves = item.Parameter("num_cycles", 0.5),
            least = item.Parameter("min_lr_rate", item.Parameter("min_lr", 0) / rate);
        return item.Text("schedule") switch
        {
            "constant" or "constant_with_warmup" => LearningRateSchedule.Constant,
            "linear" => LearningRateSchedule.Linear,
            "cosine" => item.HasParameter("num_cycles") ? LearningRateSchedule.CosineTo(0, waves) : LearningRateSchedule.Cosine,
            "cosine_with_restarts" => LearningRateSchedule.CosineWithRestarts((int)item.Parameter("num_cycles", 1)),
            "cosine_with_min_lr" => LearningRateSchedule.CosineTo(least, waves),
            "cosine_warmup_with_min_lr" => LearningRateSchedule.CosineTo(least, waves) with
            {
                WarmupFrom = item.HasParameter("warmup_lr_rate") ? item.Parameter("warmup_lr_rate", 0) : null,
                WarmupReachesFullRate = true,
            },
            "polynomial" => LearningRateSchedule.Polynomial(item.Parameter("power", 1), item.Parameter("lr_end", 1e-7) / rate),
            "inverse_sqrt" => item.HasParameter("timescale")
                ? LearningRateSchedule.InverseSqrtOver((long)item.Parameter("timescale", 0))
                : LearningRateSchedule.InverseSqrt,
            "warmup_stable_decay" => LearningRateSchedule.WarmupStableDecay(
                item.Parameter("num_decay_steps", 0) / total,
                Curve(item.Text("decay_type") ?? "cosine"),
                item.Parameter("min_lr_ratio", 0),
                Curve(item.Text("warmup_type") ?? "linear"),
                waves
            ),
            var other => throw new NotSupportedException($"the schedule is {other}, expected one of transformers' names"),
        };
    }

    private static RateCurve Curve(string name) =>
        name switch
        {
            "linear" => RateCurve.Linear,
            "cosine" => RateCurve.Cosine,
            "1-sqrt" => RateCurve.OneMinusSqrt,
            _ => throw new NotSupportedException($"the curve is {name}, expected linear, cosine or 1-sqrt"),
        };

    private static void ClipGradNorm(GoldenCase item)
    {
        var gradients = item.Tensors("inputs", "grads");
        Parameter[] parameters = [.. gradients.Select(gradient => new Parameter(zeros_like(gradient)) { grad = gradient })];
        double norm = nn.utils.clip_grad_norm_(parameters, item.Parameter("max_norm", 0), item.Parameter("norm_type", 2));
        Assert.Equal(item.ExpectedNumber("total_norm"), norm, GoldenTolerance.Of(gradients[0].dtype));
        foreach (var (parameter, expected) in parameters.Zip(item.Tensors("expected", "grads")))
            GoldenTolerance.Close(expected, parameter.grad!, "gradient");
    }

    private static void SyncReference(GoldenCase item)
    {
        var reference = item.Input("ref");
        ReferenceSync.Blend([reference], [item.Input("policy")], item.Parameter("alpha", 0));
        GoldenTolerance.Close(item.Expected("ref"), reference, "reference");
    }
}
