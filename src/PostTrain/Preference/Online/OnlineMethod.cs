using PostTrain.Numerics;
using static TorchSharp.torch;

namespace PostTrain.Preference.Online;

/// <summary>Opponent of the policy's completions, and the loss of the comparison.</summary>
public abstract record OnlineMethod
{
    private OnlineMethod() { }

    /// <summary>Online DPO (Guo et al. 2024, arXiv:2402.04792): a prompt's best completion against its worst, both the policy's.</summary>
    public static OnlineMethod Dpo { get; } = new DpoMethod();

    /// <summary>XPO (Xie et al. 2024, arXiv:2405.21046): a completion of the policy against one of the reference, and the reference's made
    /// less likely.</summary>
    /// <param name="alpha">α of at least 0; 1e-5 by default.</param>
    public static OnlineMethod Xpo(double alpha = 1e-5)
    {
        Guard.NotNegative(alpha, nameof(alpha));
        return new XpoMethod(alpha);
    }

    /// <summary>Nash-MD (Munos et al. 2023, arXiv:2312.00886): a completion of the policy against one of the mixture π^{1−a}·π_ref^{a}, P(y
    /// ≻ y′) = σ(r − r′), as REINFORCE with a KL term.</summary>
    /// <param name="coefficient">a in 0..1; 0.125 by default, of the paper's best runs.</param>
    public static OnlineMethod NashMd(double coefficient = 0.125)
    {
        Guard.Fraction(coefficient, nameof(coefficient));
        return new NashMdMethod(coefficient);
    }

    /// <summary>A method of one's own: the best completion of a prompt against the worst.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="function">Loss of each pair, [B]. Tensors that it makes belong to the caller's dispose scope.</param>
    /// <param name="againstReference">Compare a completion of the policy with one of the reference; else all are the policy's.</param>
    public static OnlineMethod Of(string name, Func<OnlinePairInputs, Tensor> function, bool againstReference = false)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(function);
        return new OwnMethod(name, function, againstReference);
    }

    /// <summary>Whether all completions of a prompt are the policy's.</summary>
    internal bool IsSelfPlay => this is DpoMethod or OwnMethod { AgainstReference: false };

    internal sealed record DpoMethod : OnlineMethod;

    internal sealed record OwnMethod(string Name, Func<OnlinePairInputs, Tensor> Loss, bool AgainstReference) : OnlineMethod;

    internal sealed record XpoMethod(double Alpha) : OnlineMethod;

    internal sealed record NashMdMethod(double Coefficient) : OnlineMethod;
}
