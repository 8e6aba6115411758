using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Optimizers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Extending;

/// <summary>An optimiser of a user's own: the library's steps, and its state in the library's checkpoints.</summary>
public sealed class OwnOptimizerTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Momentum_StepsLikeOurs_AndResumesToTheBit()
    {
        var own = OptimizerChoice.Of("own momentum", (groups, _) => new Momentum(groups, 0.9));
        var whole = Train(own, steps: 6);
        Toy.Near(Train(OptimizerChoice.Sgd(0.9), steps: 6), whole);
        Train(own, steps: 3, save: true);
        Assert.Equal(whole, Train(own, steps: 6, resume: Checkpoint.Latest(directory.Path)));
    }

    [Fact]
    public void StatesThatAreMissing_AreRefusedByName()
    {
        var error = Assert.Throws<InvalidOperationException>(() =>
            Train(OptimizerChoice.Of("forgetful", (groups, _) => new Momentum([groups[0]], 0.9)), steps: 1)
        );
        Assert.Contains("the optimizer 'forgetful' has", error.Message, StringComparison.Ordinal);
    }

    // On demand, in a loop of one's own.
    private byte[] Train(OptimizerChoice optimizer, int steps, bool save = false, string? resume = null)
    {
        using var model = Toy.Model();
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 6,
                BatchSize = 2,
                LearningRate = 1e-2,
                WeightDecay = 0,
                Optimizer = optimizer,
            }
        );
        if (resume is not null)
            trainer.Resume(resume);
        while (trainer.StepsDone < steps)
            trainer.Step([new("0=", "ab"), new("1+1=", trainer.StepsDone % 2 == 0 ? "c" : "dd")]);
        if (save)
            Assert.Equal(Path.Combine(directory.Path, "checkpoint-00000003"), trainer.SaveCheckpoint(directory.Path));
        return Toy.Bytes(model);
    }

    private sealed class Momentum : IParameterOptimizer
    {
        private readonly (Parameter Parameter, double Factor, Tensor Buffer)[] entries;
        private readonly double momentum;

        internal Momentum(IReadOnlyList<ParameterGroup> groups, double momentum)
        {
            using var mode = no_grad();
            this.momentum = momentum;
            entries =
            [
                .. groups.SelectMany(group =>
                    group.Parameters.Select(parameter => (parameter, group.Factor, parameter.zeros_like().DetachFromDisposeScope()))
                ),
            ];
            States = [.. entries.Select(entry => new Memory(entry.Buffer))];
        }

        public IReadOnlyList<IParameterState> States { get; }

        public void ZeroGradients()
        {
            foreach (var (parameter, _, _) in entries)
                parameter.grad?.zero_();
        }

        public void Update(double rate)
        {
            using var mode = no_grad();
            foreach (var (parameter, factor, buffer) in entries)
            {
                if (parameter.grad is not { } gradient)
                    continue;
                buffer.mul_(momentum).add_(gradient);
                parameter.add_(buffer, -rate * factor);
            }
        }

        public void Dispose()
        {
            foreach (var (_, _, buffer) in entries)
                buffer.Dispose();
        }

        private sealed class Memory(Tensor buffer) : IParameterState
        {
            public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [("momentum", buffer)];

            public long Updates { get; set; }
        }
    }
}
