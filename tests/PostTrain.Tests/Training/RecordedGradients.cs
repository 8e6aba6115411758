using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Optimizers;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>Gradient descent that keeps what it is given: of each update every parameter's gradient, after clipping.</summary>
internal sealed class RecordedGradients
{
    private readonly List<double[]> updates = [];

    internal RecordedGradients() => Optimizer = OptimizerChoice.Of("recorded", (groups, options) => new Recorder(groups, options, updates));

    internal OptimizerChoice Optimizer { get; }

    /// <summary>The updates of all optimisers that were made, in their order.</summary>
    internal IReadOnlyList<double[]> Updates => updates;

    private sealed class Recorder(IReadOnlyList<ParameterGroup> groups, TrainingOptions options, List<double[]> updates)
        : IParameterOptimizer
    {
        private readonly IParameterOptimizer descent = OptimizerChoice.Sgd().Create(groups, options);

        public IReadOnlyList<IParameterState> States => descent.States;

        public void ZeroGradients() => descent.ZeroGradients();

        public void Update(double rate)
        {
            using var scope = NewDisposeScope();
            updates.Add([.. groups.SelectMany(group => group.Parameters).SelectMany(Values)]);
            descent.Update(rate);
        }

        public void Dispose() => descent.Dispose();

        // Without a gradient, as a policy is while its critic warms up, there is nothing: as many numbers have to be there in every run.
        private static double[] Values(Parameter parameter) => parameter.grad is { IsInvalid: false } given ? Numbers.Values(given) : [];
    }
}
