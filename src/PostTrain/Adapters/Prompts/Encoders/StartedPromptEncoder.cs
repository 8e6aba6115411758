using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>An encoder with given rows at its start: R + f(θ) − f(θ₀), where f is another encoder, θ₀ its parameters at the start, and R
/// and f(θ₀) are buffers.</summary>
internal sealed class StartedPromptEncoder : PromptEncoder
{
    private const string StartName = "start",
        OriginName = "origin";

    private readonly PromptEncoder encoder;

    public StartedPromptEncoder(PromptEncoder encoder, Tensor start)
        : base(nameof(StartedPromptEncoder), encoder.Length, encoder.Width)
    {
        this.encoder = encoder;
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        using var folded = encoder.Fold();
        var origin = folded.Weight.detach().clone();
        register_module("encoder", encoder);
        register_buffer(OriginName, origin.DetachFromDisposeScope());
        register_buffer(StartName, start.detach().to(origin.dtype, origin.device, copy: true).DetachFromDisposeScope());
    }

    /// <inheritdoc/>
    public override Tensor Rows()
    {
        using var scope = NewDisposeScope();
        // The difference first: it is 0 at the start, so that the rows are R bit for bit.
        return (encoder.Rows() - get_buffer(OriginName)! + get_buffer(StartName)!).MoveToOuterDisposeScope();
    }

    /// <summary>Does nothing: the parts are registered by name.</summary>
    protected override void RegisterComponents() { }
}
