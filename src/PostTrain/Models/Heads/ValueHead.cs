using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models.Heads;

/// <summary>A value for every position, v = w·h + b: PPO's critic (Schulman et al. 2017, arXiv:1707.06347, section 5), on the policy's body
/// or on its own.</summary>
/// <remarks>
/// <para>On a shared body (<see cref="For"/>) the head's parameters are its weight and bias only, and the body stays the policy's; one pass
/// serves both: <c>hidden = policy.Hidden(…)</c>, <c>policy.Project(hidden)</c>, <c>head.call(hidden)</c>. With its own body (<see
/// cref="WithOwnBody"/>) its parameters include the body's, and it disposes the body.</para>
/// <para>The tensors are TRL's <c>v_head.summary</c> (AutoModelForCausalLMWithValueHead); <see cref="Pretrained.Save(ValueHead, string,
/// SaveOptions?)"/> writes them into the body's checkpoint. TRL's dropout before the head is omitted, so that a value is a function of the
/// text. The head computes in float32 (float64 on a float64 body), as in TRL.</para>
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

    /// <summary>True if the head owns the body.</summary>
    internal bool OwnsBody => ownsBody;

    /// <summary>The head: weight [1,D], bias [1].</summary>
    public Linear Summary => summary;

    /// <summary>Creates a new head on the policy's body, which stays the policy's.</summary>
    /// <param name="policy">The model with the hidden states.</param>
    /// <param name="options">Initialisation of the head; null: the defaults. With a standard deviation of 0 every value is 0 at the
    /// start.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static ValueHead For(CausalLm policy, HeadOptions? options = null) => Create(policy, options, ownsBody: false);

    /// <summary>Creates a new head with its own body, e.g. a second copy of the policy or a reward model's body.</summary>
    /// <param name="body">The body, owned by the head from now on.</param>
    /// <param name="options">As in <see cref="For"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static ValueHead WithOwnBody(CausalLm body, HeadOptions? options = null) => Create(body, options, ownsBody: true);

    /// <summary>Computes values from hidden states: [...,D] to [...].</summary>
    /// <exception cref="ArgumentException">The last dimension is not the body's hidden size.</exception>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        // A matrix product with wrong shapes ends the process on some builds of TorchSharp.
        if (input.dim() == 0 || input.size(-1) != summary.weight!.size(1))
            throw new ArgumentException(
                $"hidden has the shape [{string.Join(",", input.shape)}], expected [...,{summary.weight!.size(1)}].",
                nameof(input)
            );
        using var scope = NewDisposeScope();
        return summary.call(input.to_type(summary.weight!.dtype)).squeeze(-1).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the values at every token: [B,T] to [B,T].</summary>
    /// <param name="ids">Token ids, [B,T].</param>
    /// <param name="attentionMask">As in <see cref="CausalLm.Hidden"/>; null: no padding. Values at padding are meaningless.</param>
    public Tensor Values(Tensor ids, Tensor? attentionMask = null)
    {
        using var scope = NewDisposeScope();
        return call(Body.Hidden(ids, attentionMask)).MoveToOuterDisposeScope();
    }

    /// <summary>Does nothing: the parts are registered under their checkpoint's names.</summary>
    protected override void RegisterComponents() { }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && ownsBody)
            Body.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Returns the type in which a head on this body computes.</summary>
    internal static ScalarType TypeFor(CausalLm body) => Precision.AtLeastSingle(BodyParts.TypeOf(body));

    private static ValueHead Create(CausalLm body, HeadOptions? options, bool ownsBody)
    {
        ArgumentNullException.ThrowIfNull(body);
        options ??= new HeadOptions();
        options.Validate();
        return new ValueHead(body, BodyParts.Head(body, 1, bias: true, TypeFor(body), options), ownsBody);
    }
}
