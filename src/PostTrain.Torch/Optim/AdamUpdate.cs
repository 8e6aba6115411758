using static TorchSharp.torch;

namespace TorchSharp.Modules;

/// <summary>The update of Adam and AdamW for parameters that have taken the same number of steps.</summary>
/// <remarks>m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², θ ← θ - η (m/(1-β₁ᵗ)) / (√(v/(1-β₂ᵗ)) + ε). Kingma and Ba, arXiv:1412.6980, algorithm 1.
/// Decay: g ← g + λθ before (Adam), or θ ← (1-ηλ)θ before (AdamW; Loshchilov and Hutter, arXiv:1711.05101, algorithm 2).
/// AMSGrad uses the largest v so far: Reddi et al., arXiv:1904.09237, with the bias correction that PyTorch gives it.
/// Written over lists: one crossing to libtorch for all parameters instead of one for each.</remarks>
internal sealed class AdamUpdate(double rate, double beta1, double beta2, double epsilon, double decay, bool decoupled)
{
    private readonly List<Tensor> parameters = [], gradients = [], averages = [], squares = [], largest = [];

    /// <summary>The number of this step, from 1.</summary>
    internal required long Step { get; init; }

    internal void Add(Tensor parameter, Tensor gradient, Tensor average, Tensor square, Tensor? maximum)
    {
        parameters.Add(parameter);
        gradients.Add(gradient);
        averages.Add(average);
        squares.Add(square);
        if (maximum is not null) largest.Add(maximum);
    }

    internal void Apply()
    {
        Tensor[] theta = [.. parameters], g = [.. gradients], m = [.. averages], v = [.. squares];
        if (decay != 0)
        {
            if (decoupled) Ops._foreach_mul__Scalar.CallOnList(theta, 1 - rate * decay);
            else g = Ops._foreach_add_List.CallList(g, theta, decay);
        }
        Ops._foreach_mul__Scalar.CallOnList(m, beta1);
        Ops._foreach_add__List.CallOnList(m, g, 1 - beta1);
        Ops._foreach_mul__Scalar.CallOnList(v, beta2);
        Ops._foreach_addcmul__Scalar.CallOnList(v, g, g, 1 - beta2);
        if (largest.Count > 0)
        {
            Tensor[] maxima = [.. largest];
            Ops._foreach_maximum__List.CallOnList(maxima, v);
            v = maxima;
        }
        // √(v/c₂) + ε = (√v + ε√c₂) / √c₂: the correction goes into the step's length, not through every element.
        double root = Math.Sqrt(1 - Math.Pow(beta2, Step));
        var denominator = Ops._foreach_sqrt.CallList(v);
        Ops._foreach_add__Scalar.CallOnList(denominator, epsilon * root);
        Ops._foreach_addcdiv__Scalar.CallOnList(theta, m, denominator, -rate * root / (1 - Math.Pow(beta1, Step)));
    }
}
