using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>The state before a step: the number of updates and the state of the generator that dropout uses.</summary>
internal sealed class StepStart(long updates) : IDisposable
{
    // It lives across awaits, so no dispose scope of a thread may own it.
    private readonly Tensor random = get_rng_state().DetachFromDisposeScope();

    internal long Updates { get; } = updates;

    internal void RestoreRandomState() => set_rng_state(random);

    public void Dispose() => random.Dispose();
}
