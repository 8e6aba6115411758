using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models.Heads;

/// <summary>A value of every position, v = w·h + b: PPO's critic (Schulman et al. 2017, arXiv:1707.06347, section 5), on the policy's own
/// body or on one of its own.</summary>
/// <remarks>
/// <para>On a shared body (<see cref="For"/>) the head's parameters are its weight and bias only, and the body stays the policy's; one pass
/// serves both: <c>hidden = policy.Hidden(…)</c>, <c>policy.Project(hidden)</c>, <c>head.call(hidden)</c>. On a body of its own
/// (<see cref="WithOwnBody"/>) its parameters are the body's too, and it disposes the body.</para>
/// <para>The tensors are TRL's <c>v_head.summary</c> (AutoModelForCausalLMWithValueHead);
/// <see cref="Pretrained.Save(ValueHead, string, SaveOptions?)"/> writes them into the body's checkpoint. TRL's dropout before the head is
/// left out: a value is to be a function of the text. The head computes in float32 (float64 on a float64 body), as TRL's does.</para>
/// </remarks>
public sealed class ValueHead : nn.Module<Tensor, Tensor>
{
    private readonly Linear summary;
    private readonly bool ownsBody;

    internal ValueHead(CausalLm body, Linear summary, bool ownsBody)
        : base(nameof(ValueHead))
    {
        (Body, this.summary, this.ownsBody) = (body, summary, ownsBody);
        if (ownsBody)
            BodyParts.Register(body, register_module, register_parameter);
        register_module("summary", summary);
    }

    /// <summary>The model under the head.</summary>
    public CausalLm Body { get; }

    /// <summary>Whether the body is the head's own.</summary>
    internal bool OwnsBody => ownsBody;

    /// <summary>The head: weight [1,D], bias [1].</summary>
    public Linear Summary => summary;

    /// <summary>A fresh head on the policy's own body, which stays the policy's.</summary>
    /// <param name="policy">Whose hidden states are valued.</param>
    /// <param name="options">How the head starts; null: the defaults. A standard deviation of 0 makes every value 0 at the start.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static ValueHead For(CausalLm policy, HeadOptions? options = null) => Create(policy, options, ownsBody: false);

    /// <summary>A fresh head on a body of its own, e.g. a second copy of the policy or a reward model's body.</summary>
    /// <param name="body">From here on it belongs to the head.</param>
    /// <param name="options">As in <see cref="For"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static ValueHead WithOwnBody(CausalLm body, HeadOptions? options = null) => Create(body, options, ownsBody: true);

    /// <summary>Hidden states to values: [...,D] to [...].</summary>
    /// <exception cref="ArgumentException">The last size is not the body's hidden size.</exception>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        // A matrix product of shapes that do not fit ends the process on some builds of TorchSharp.
        if (input.dim() == 0 || input.size(-1) != summary.weight!.size(1))
            throw new ArgumentException(
                $"hidden has the shape [{string.Join(",", input.shape)}], expected [...,{summary.weight!.size(1)}].",
                nameof(input)
            );
        using var scope = NewDisposeScope();
        return summary.call(input.to_type(summary.weight!.dtype)).squeeze(-1).MoveToOuterDisposeScope();
    }

    /// <summary>The values at every token: [B,T] to [B,T].</summary>
    /// <param name="ids">Token ids, [B,T].</param>
    /// <param name="attentionMask">As in <see cref="CausalLm.Hidden"/>; null: no padding. Values of padding have no meaning.</param>
    public Tensor Values(Tensor ids, Tensor? attentionMask = null)
    {
        using var scope = NewDisposeScope();
        return call(Body.Hidden(ids, attentionMask)).MoveToOuterDisposeScope();
    }

    /// <summary>Nothing: the parts are registered under their checkpoint's names.</summary>
    protected override void RegisterComponents() { }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && ownsBody)
            Body.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>The type that a head on this body computes in.</summary>
    internal static ScalarType TypeFor(CausalLm body) => Precision.AtLeastSingle(BodyParts.TypeOf(body));

    private static ValueHead Create(CausalLm body, HeadOptions? options, bool ownsBody)
    {
        ArgumentNullException.ThrowIfNull(body);
        options ??= new HeadOptions();
        options.Validate();
        return new ValueHead(body, BodyParts.Head(body, 1, bias: true, TypeFor(body), options), ownsBody);
    }
}
