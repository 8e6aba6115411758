using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>down(f(up(x))), or down(f(gate(x)) · up(x)) (gated linear unit, Shazeer 2020, arXiv:2002.05202); gate and
/// up may be the halves of one projection.</summary>
internal sealed class FeedForward : nn.Module, ILayerOwner
{
    private nn.Module<Tensor, Tensor>? fused;
    private nn.Module<Tensor, Tensor>? gate;
    private nn.Module<Tensor, Tensor>? up;
    private nn.Module<Tensor, Tensor> down;
    private readonly ModuleNames names;
    private readonly Activation activation;

    public FeedForward(DecoderConfig config, WeightSource source, string name)
        : base(nameof(FeedForward))
    {
        names = ModuleNames.Of(config.Naming);
        activation = config.Activation;
        var (width, inner, bias) = (config.HiddenSize, config.FeedForwardSize, config.FeedForwardBias);
        if (config.GatedFeedForward && config.FusedProjections)
        {
            fused = source.Linear($"{name}.{names.GateUp}", width, 2L * inner, bias);
            register_module(names.GateUp, fused);
        }
        else if (config.GatedFeedForward)
        {
            gate = source.Linear($"{name}.{names.Gate}", width, inner, bias);
            register_module(names.Gate, gate);
        }

        if (fused is null)
        {
            up = source.Linear($"{name}.{names.Up}", width, inner, bias);
            register_module(names.Up, up);
        }

        down = source.Linear($"{name}.{names.Down}", inner, width, bias, WeightRole.ResidualProjection);
        register_module(names.Down, down);
    }

    internal nn.Module<Tensor, Tensor>? Fused => fused;

    internal nn.Module<Tensor, Tensor>? Gate => gate;

    internal nn.Module<Tensor, Tensor>? Up => up;

    internal nn.Module<Tensor, Tensor> Down => down;

    /// <summary>[B,T,D] to [B,T,D].</summary>
    public Tensor Apply(Tensor x)
    {
        using var scope = NewDisposeScope();
        return down.call(Inner(x)).MoveToOuterDisposeScope();
    }

    public void ReplaceLayer(string name, nn.Module<Tensor, Tensor> layer)
    {
        if (fused is not null && name == names.GateUp)
            fused = LayerSlots.Register(this, name, layer);
        else if (gate is not null && name == names.Gate)
            gate = LayerSlots.Register(this, name, layer);
        else if (up is not null && name == names.Up)
            up = LayerSlots.Register(this, name, layer);
        else if (name == names.Down)
            down = LayerSlots.Register(this, name, layer);
        else
            throw LayerSlots.Unknown(this, name);
    }

    private Tensor Inner(Tensor x)
    {
        if (fused is not null)
            return Activations.GateOfHalves(activation, fused.call(x));
        return gate is null ? Activations.Gate(activation, up!.call(x), null) : Activations.Gate(activation, gate.call(x), up!.call(x));
    }

    /// <summary>Nothing: the names come from the configuration, not from the fields.</summary>
    protected override void RegisterComponents() { }
}
