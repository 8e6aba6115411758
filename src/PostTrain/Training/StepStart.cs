using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>Where a step starts from: the updates made so far and the state of the generator that dropout draws from.</summary>
internal sealed class StepStart(long updates) : IDisposable
{
    // It lives across awaits, where no scope of a thread may own it.
    private readonly Tensor random = get_rng_state().DetachFromDisposeScope();

    internal long Updates { get; } = updates;

    internal void RestoreRandomState() => set_rng_state(random);

    public void Dispose() => random.Dispose();
}
