using PostTrain.Models;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Optimizers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

// A checkpoint holds the state of the generator that the whole process shares.
[Collection("Sequential")]
public sealed class OptimizerChoiceTests : IDisposable
{
    private static readonly Dictionary<string, OptimizerChoice> Choices = new()
    {
        ["AdamW"] = OptimizerChoice.AdamW,
        ["Adam"] = OptimizerChoice.Adam,
        ["Sgd"] = OptimizerChoice.Sgd(),
        ["momentum"] = OptimizerChoice.Sgd(0.9, nesterov: true),
        ["Adafactor"] = OptimizerChoice.Adafactor(),
        ["Adafactor with all"] = OptimizerChoice.Adafactor(
            new AdafactorOptions
            {
                Beta1 = 0.9,
                ScaleByParameter = true,
                RelativeStep = true,
            }
        ),
        ["Muon"] = OptimizerChoice.Muon(),
    };

    private readonly TemporaryDirectory directory = new();

    public static TheoryData<string> Names => [.. Choices.Keys];

    public void Dispose() => directory.Dispose();

    // Gradients 3 then 1, decay 0.5 on the matrix: g₁ = 3 + 0.5·2 = 4, θ = 1.6; g₂ = 1 + 0.8 = 1.8, b = 0.5·4 + 1.8 = 3.8. The vector has
    // 3, then 0.5·3 + 1 = 2.5.
    [Fact]
    public void Sgd_TwoSteps_AreMomentumByHand()
    {
        using var model = Weights(2, 2);
        using var optimization = new Optimization(model, Options(OptimizerChoice.Sgd(0.5)) with { WeightDecay = 0.5 });
        optimization.Update(1, _ => (model.weight!.sum() + model.bias!.sum()) * 3);
        Near(1.6, 1.7, model);
        optimization.Update(1, _ => model.weight!.sum() + model.bias!.sum());
        Near(1.22, 1.45, model);
    }

    // Adam's first step is the rate, against the sign of gradient and decay together: −3 + 0.5·10 is positive.
    [Fact]
    public void Adam_WeightDecay_IsPartOfTheGradient()
    {
        using var model = Weights(10, 10);
        using var optimization = new Optimization(model, Options(OptimizerChoice.Adam) with { WeightDecay = 0.5 });
        optimization.Update(1, _ => (model.weight!.sum() + model.bias!.sum()) * -3);
        Near(9.9, 10.1, model, 1e-8);
    }

    // The first mean of squares is the square itself (1 − 1^γ = 0), so U = ±1 and its root mean square 1.
    [Theory]
    [InlineData(false, 0.1)]
    [InlineData(true, 0.2)]
    public void Adafactor_FirstStep_IsTheRate_TimesTheParametersSizeIfAsked(bool scaled, double step)
    {
        using var model = Weights(2, 2);
        using var optimization = new Optimization(
            model,
            Options(OptimizerChoice.Adafactor(new AdafactorOptions { ScaleByParameter = scaled })) with
            {
                WeightDecay = 0.5,
                LearningRateFactor = name => name == "bias" ? 0.5 : 1,
            }
        );
        optimization.Update(1, _ => model.weight!.sum() * 3 - model.bias!.sum() * 7);
        Near(2 - step - step * 0.5 * 2, 2 + step / 2, model);
    }

    // A rank-one matrix of squares is what its row and column means give back: V̂ = V, so every element steps by the rate.
    [Fact]
    public void Adafactor_SquaresOfRankOne_AreKeptExactly()
    {
        using var scope = NewDisposeScope();
        using var model = nn.Linear(4, 3, hasBias: false, dtype: ScalarType.Float64);
        var before = model.weight!.detach().clone();
        var gradient = tensor(new double[] { 1, -2, 3 }).unsqueeze(1) * tensor(new double[] { 0.5, 1, -4, 7 });
        using var optimization = new Optimization(model, Options(OptimizerChoice.Adafactor()));
        optimization.Update(1, _ => (model.weight! * gradient).sum());
        TensorAssert.Close(before - gradient.sign() * 0.1, model.weight!, 1e-12);
        Assert.Equal(7, optimization.States.Single().Tensors.Sum(kept => kept.Tensor.NumberOfElements));
    }

    // The default polynomial brings singular values to 0.68 to 1.13; their squares are the eigenvalues of the step's Gram matrix.
    [Theory]
    [InlineData(6, 4)]
    [InlineData(4, 6)]
    public void Muon_Step_IsNearlyOrthogonal_AndVectorsAreAdamWs(long rows, long columns)
    {
        using var scope = NewDisposeScope();
        using var model = nn.Linear(columns, rows, dtype: ScalarType.Float64);
        var (weight, bias) = (model.weight!.detach().clone(), model.bias!.detach().clone());
        var gradient = Numbers.Uniform(1, 1, rows, columns);
        using var optimization = new Optimization(model, Options(OptimizerChoice.Muon(new MuonOptions { Rate = MuonRate.AsGiven })));
        optimization.Update(1, _ => (model.weight! * gradient).sum() + model.bias!.sum() * 3);
        var step = (weight - model.weight!) / 0.1;
        var gram = rows < columns ? step.mm(step.t()) : step.t().mm(step);
        var sizes = Numbers.Values(gram.diagonal());
        // The step goes down the gradient's own singular directions.
        Assert.True((step * gradient).sum().ToDouble() > 0);
        Assert.All(sizes, size => Assert.InRange(size, 0.36, 1.7));
        Assert.True((gram - gram.diagonal().diag()).abs().max().ToDouble() < 0.5);
        TensorAssert.Close(bias - 0.1, model.bias!, 1e-7);
        Assert.Equal(
            ["momentum_buffer", "exp_avg", "exp_avg_sq"],
            optimization.States.SelectMany(state => state.Tensors.Select(kept => kept.Name))
        );
    }

    [Fact]
    public void Muon_TakesMatricesOfHiddenLayersOnly()
    {
        var choice = OptimizerChoice.Muon();
        using var scope = NewDisposeScope();
        Assert.True(choice.IsOrthogonal("model.layers.0.self_attn.q_proj.weight", zeros(3, 4)));
        Assert.False(choice.IsOrthogonal("model.embed_tokens.weight", zeros(3, 4)));
        Assert.False(choice.IsOrthogonal("lm_head.weight", zeros(3, 4)));
        Assert.False(choice.IsOrthogonal("model.layers.0.self_attn.q_proj.bias", zeros(3)));
        Assert.True(
            OptimizerChoice
                .Muon(new MuonOptions { Matrices = name => name == "lm_head.weight" })
                .IsOrthogonal("lm_head.weight", zeros(3, 4))
        );
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Resume_WithAnyOptimizer_GivesTheBitsOfTheWholeRun(string name)
    {
        using var model = Toy.Model();
        using var optimization = new Optimization(model, Options(Choices[name]));
        Train(optimization, model, 3);
        var start = Toy.Bytes(model);
        var path = Checkpoint.Save(directory.Path, model, optimization, new TrainingState(TrainingState.CurrentFormat, 3, 3, 0, 0, 0));
        Train(optimization, model, 3);

        using var other = Toy.Model(seed: 2);
        using var resumed = new Optimization(other, Options(Choices[name]));
        Checkpoint.Load(path, other, resumed);
        Assert.Equal(start, Toy.Bytes(other));
        Train(resumed, other, 3);
        Assert.Equal(Toy.Bytes(model), Toy.Bytes(other));
        Assert.NotEqual(start, Toy.Bytes(other));
    }

    [Theory]
    [InlineData("Sgd", "AdamW")]
    [InlineData("AdamW", "Sgd")]
    [InlineData("Adafactor", "Muon")]
    public void Load_CheckpointOfAnotherOptimizer_IsRefused(string saved, string loaded)
    {
        using var model = Toy.Model();
        using var optimization = new Optimization(model, Options(Choices[saved]));
        Train(optimization, model, 1);
        var path = Checkpoint.Save(directory.Path, model, optimization, new TrainingState(TrainingState.CurrentFormat, 1, 1, 0, 0, 0));
        using var other = new Optimization(model, Options(Choices[loaded]));
        var error = Assert.Throws<InvalidDataException>(() => Checkpoint.Load(path, model, other));
        Assert.Contains("optimizer.safetensors: tensor ", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Update_WithAnyOptimizer_LearnsAndLeaksNothing(string name)
    {
        using var model = Toy.Model();
        using var optimization = new Optimization(model, Options(Choices[name]) with { LearningRate = 1e-2 });
        double first = optimization.Update(1, _ => Loss(model)).Loss;
        optimization.Update(1, _ => Loss(model));
        long before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        Train(optimization, model, 4);
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Assert.True(optimization.Update(1, _ => Loss(model)).Loss < first);
    }

    [Fact]
    public void Choices_OfValuesOutOfRange_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerChoice.Sgd(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerChoice.Sgd(0, nesterov: true));
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerChoice.Adafactor(new AdafactorOptions { ClipThreshold = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerChoice.Adafactor(new AdafactorOptions { DecayRate = 0.8 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerChoice.Adafactor(new AdafactorOptions { Beta1 = 1 }));
        Assert.Throws<ArgumentException>(() => OptimizerChoice.Adafactor(new AdafactorOptions { RelativeWarmup = true }));
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerChoice.Muon(new MuonOptions { Momentum = 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerChoice.Muon(new MuonOptions { Iterations = 100 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerChoice.Muon(new MuonOptions { Epsilon = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => OptimizerChoice.Muon(new MuonOptions { Rate = (MuonRate)7 }));
    }

    private static SftOptions Options(OptimizerChoice optimizer) =>
        new()
        {
            LearningRate = 0.1,
            MaxGradNorm = double.PositiveInfinity,
            Optimizer = optimizer,
        };

    private static void Train(Optimization optimization, CausalLm model, int updates)
    {
        for (int i = 0; i < updates; i++)
            optimization.Update(1, _ => Loss(model));
    }

    private static Tensor Loss(CausalLm model) => model.call(Numbers.Ids(1, 20, 2, 5)).square().mean();

    private static Linear Weights(double matrix, double vector)
    {
        var model = nn.Linear(1, 1, dtype: ScalarType.Float64);
        using var mode = no_grad();
        model.weight!.fill_(matrix);
        model.bias!.fill_(vector);
        return model;
    }

    private static void Near(double weight, double bias, Linear model, double tolerance = 1e-12)
    {
        Assert.Equal(weight, Assert.Single(Numbers.Values(model.weight!)), tolerance);
        Assert.Equal(bias, Assert.Single(Numbers.Values(model.bias!)), tolerance);
    }
}
