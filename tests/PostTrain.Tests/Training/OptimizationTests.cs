using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

public sealed class OptimizationTests
{
    private static readonly SftOptions Unclipped = new()
    {
        LearningRate = 0.1,
        WeightDecay = 0.5,
        MaxGradNorm = double.PositiveInfinity,
    };

    // Step 1: m̂ = g and v̂ = g², so the step is −0.1·sign(g). Step 2, gradients 3 then 1: m = 0.9·0.3 + 0.1·1 = 0.37, 1 − 0.9² = 0.19,
    // v = 0.999·0.009 + 0.001·1 = 0.009991, 1 − 0.999² = 0.001999.
    [Fact]
    public void Update_TwoSteps_AreAdamWByHand_WithDecayOnMatricesOnly()
    {
        using var model = Weights(matrix: 2, vector: 2);
        using var optimization = new Optimization(model, Unclipped);

        var first = optimization.Update(1, _ => model.weight!.sum() * 3 - model.bias!.sum() * 3);
        Assert.Equal((0.0, 0.1), (first.Loss, first.LearningRate));
        Assert.Equal(Math.Sqrt(18), first.GradNorm, 1e-12);
        Assert.Equal(2 * 0.95 - 0.1, Value(model.weight!), 1e-9);
        Assert.Equal(2 + 0.1, Value(model.bias!), 1e-9);

        optimization.Update(1, _ => model.weight!.sum() - model.bias!.sum());
        double step = 0.1 * (0.37 / 0.19) / Math.Sqrt(0.009991 / 0.001999);
        Assert.Equal(1.8 * 0.95 - step, Value(model.weight!), 1e-9);
        Assert.Equal(2.1 + step, Value(model.bias!), 1e-9);
        Assert.Equal(2, optimization.Updates);
    }

    // The gradient (3, 4) has the norm 5; with ε = 1 the first step is −0.1·g/(|g| + 1) of the clipped g = (0.6, 0.8).
    [Fact]
    public void Update_LongGradient_IsScaledDownToTheNorm()
    {
        using var model = Weights(matrix: 0, vector: 0);
        using var optimization = new Optimization(
            model,
            new SftOptions
            {
                LearningRate = 0.1,
                MaxGradNorm = 1,
                AdamEpsilon = 1,
            }
        );
        var report = optimization.Update(1, _ => model.weight!.sum() * 3 + model.bias!.sum() * 4);
        Assert.Equal(5, report.GradNorm, 1e-12);
        Assert.Equal(-0.1 * 0.6 / 1.6, Value(model.weight!), 1e-7);
        Assert.Equal(-0.1 * 0.8 / 1.8, Value(model.bias!), 1e-7);
    }

    [Fact]
    public void Update_ShortGradient_IsLeftAsItIs()
    {
        using var model = Weights(matrix: 0, vector: 0);
        using var optimization = new Optimization(
            model,
            new SftOptions
            {
                LearningRate = 0.1,
                MaxGradNorm = 6,
                AdamEpsilon = 1,
            }
        );
        optimization.Update(1, _ => model.weight!.sum() * 3 + model.bias!.sum() * 4);
        Assert.Equal(-0.1 * 3 / 4, Value(model.weight!), 1e-12);
        Assert.Equal(-0.1 * 4 / 5, Value(model.bias!), 1e-12);
    }

    [Fact]
    public void Update_Warmup_CountsSteps_AndUpdatesWithinThem()
    {
        using var model = Weights(matrix: 0, vector: 0);
        using var optimization = new Optimization(
            model,
            new SftOptions
            {
                LearningRate = 0.1,
                Steps = 4,
                WarmupSteps = 2,
                Schedule = LearningRateSchedule.Linear,
            },
            updatesPerStep: 2
        );
        var rates = Enumerable.Range(0, 8).Select(_ => optimization.Update(1, _ => model.weight!.sum()).LearningRate);
        Assert.Equal([0, 0.025, 0.05, 0.075, 0.1, 0.075, 0.05, 0.025], rates.Select(rate => Math.Round(rate, 12)));
    }

    [Fact]
    public void Update_BatchInParts_HasTheGradientOfTheWhole()
    {
        using var scope = NewDisposeScope();
        var (ids, targets) = (Numbers.Ids(1, 20, 5, 7), Numbers.Ids(2, 20, 5, 7));
        var mask = Numbers.Mask(7, 7, 1, 4, 2, 5);
        double[] Gradient(int size)
        {
            using var model = Toy.Model(type: ScalarType.Float64);
            using var optimization = new Optimization(model, Unclipped);
            optimization.Update(
                (5 + size - 1) / size,
                part =>
                {
                    long start = part * size,
                        count = Math.Min(size, 5 - start);
                    return SupervisedLosses
                        .NegativeLogLikelihood(
                            model.call(ids.narrow(0, start, count)),
                            targets.narrow(0, start, count),
                            mask.narrow(0, start, count),
                            LossAggregation.TokenMean,
                            19
                        )
                        .Loss;
                }
            );
            return [.. optimization.Parameters.SelectMany(item => Numbers.Values(item.Parameter.grad!))];
        }

        var whole = Gradient(5);
        Assert.Contains(whole, value => Math.Abs(value) > 1e-3);
        foreach (int size in new[] { 1, 2, 3 })
            Assert.All(Gradient(size).Zip(whole), pair => Assert.Equal(pair.Second, pair.First, 1e-12));
    }

    [Fact]
    public void Update_LossNotFinite_NamesUpdateAndValues_AndChangesNothing()
    {
        using var model = Weights(matrix: 2, vector: 2);
        using var optimization = new Optimization(model, Unclipped);
        optimization.Update(1, _ => model.weight!.sum());
        var before = Toy.Bytes(model);

        var error = Assert.Throws<InvalidOperationException>(() => optimization.Update(1, _ => model.weight!.sum() * double.NaN));
        Assert.Contains("update 2", error.Message, StringComparison.Ordinal);
        Assert.Contains("loss is NaN", error.Message, StringComparison.Ordinal);
        // The loss is 0, its gradient (√0)′.
        error = Assert.Throws<InvalidOperationException>(() => optimization.Update(1, _ => (model.weight! * 0).sqrt().sum()));
        Assert.Contains("loss is 0 and the gradient's norm NaN", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Toy.Bytes(model));
        Assert.Equal(1, optimization.Updates);

        // What was not finite is not remembered either.
        Assert.Equal(1, optimization.Update(1, _ => model.weight!.sum()).GradNorm, 1e-12);
        Assert.True(double.IsFinite(Value(model.weight!)));
    }

    [Fact]
    public void Constructor_NothingToTrain_OrBadOptions_IsRefused()
    {
        using var model = Weights(matrix: 1, vector: 1);
        Assert.Equal(
            "Steps",
            Assert.Throws<ArgumentOutOfRangeException>(() => new Optimization(model, new SftOptions { Steps = 0 })).ParamName
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => new Optimization(model, new SftOptions(), updatesPerStep: 0));
        using (var optimization = new Optimization(model, new SftOptions()))
            Assert.Throws<ArgumentOutOfRangeException>(() => optimization.Update(0, _ => model.weight!.sum()));
        foreach (var parameter in model.parameters())
            parameter.requires_grad = false;
        var error = Assert.Throws<ArgumentException>(() => new Optimization(model, new SftOptions()));
        Assert.Contains("no parameter that requires a gradient", error.Message, StringComparison.Ordinal);
    }

    private static Linear Weights(double matrix, double vector)
    {
        var model = nn.Linear(1, 1, dtype: ScalarType.Float64);
        using var mode = no_grad();
        model.weight!.fill_(matrix);
        model.bias!.fill_(vector);
        return model;
    }

    private static double Value(Tensor tensor) => Assert.Single(Numbers.Values(tensor));
}
