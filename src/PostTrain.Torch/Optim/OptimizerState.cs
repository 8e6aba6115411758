using static TorchSharp.torch;

#nullable disable

namespace TorchSharp.Modules;

/// <summary>What an optimiser remembers of one parameter.</summary>
public abstract class OptimizerState
{
    protected Parameter _parameter;

    protected OptimizerState(Parameter parameter) => _parameter = parameter;

    /// <summary>The parameter that the state belongs to.</summary>
    internal Parameter Owner => _parameter;

    /// <summary>Starts from nothing.</summary>
    public abstract void Initialize(OptimizerOptions options);

    /// <summary>Copies another's values.</summary>
    public abstract void LoadStateDict(OptimizerState source);

    public virtual void to(Device device) { }

    /// <summary>Whether two states are equal but for rounding (relative 1e-5).</summary>
    public virtual bool ApproximatelyEquals(OptimizerState other) => false;

    // Zeros like the parameter, outside of every dispose scope.
    private protected Tensor Zeros()
    {
        using var _ = no_grad();
        return _parameter.zeros_like().DetachFromDisposeScope();
    }

    // A copy of the source in the place of the old tensor, as the parameter's element type.
    private protected void Load(ref Tensor target, Tensor source)
    {
        using var _ = no_grad();
        var old = target;
        target = source is null ? null : source.to(_parameter.dtype, _parameter.device, copy: true).DetachFromDisposeScope();
        old?.Dispose();
    }

    private protected static void Move(ref Tensor target, Device device)
    {
        if (target is null || (target.device_type == device.type && target.device_index == device.index)) return;
        using var _ = no_grad();
        var old = target;
        target = old.to(device, copy: true).DetachFromDisposeScope();
        old.Dispose();
    }

    private protected static bool Close(Tensor left, Tensor right) => left is null ? right is null : right is not null && left.allclose(right);
}
