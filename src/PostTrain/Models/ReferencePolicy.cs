using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The frozen model that a policy is compared with: a model of its own, or the policy itself with its adapter switched off, which
/// costs no memory.</summary>
public sealed class ReferencePolicy
{
    private readonly CausalLm model;
    private readonly Func<IDisposable>? disable;

    private ReferencePolicy(CausalLm model, Func<IDisposable>? disable) => (this.model, this.disable) = (model, disable);

    /// <summary>A model of its own, which nobody trains.</summary>
    public static ReferencePolicy Of(CausalLm model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return new ReferencePolicy(model, null);
    }

    /// <summary>The policy's own base; of an adapted model <c>adapted.Reference(policy)</c>.</summary>
    /// <param name="policy">The model that is trained through an adapter.</param>
    /// <param name="disable">Switches the adapter off until its result is disposed.</param>
    public static ReferencePolicy WithoutAdapter(CausalLm policy, Func<IDisposable> disable)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(disable);
        return new ReferencePolicy(policy, disable);
    }

    /// <summary>The model, where it is one of its own.</summary>
    internal CausalLm? Own => disable is null ? model : null;

    /// <summary>A model of its own; null stays null.</summary>
    public static implicit operator ReferencePolicy?(CausalLm? model) => model is null ? null : Of(model);

    /// <summary>Runs a function of the reference model, without gradients and without dropout.</summary>
    /// <param name="question">For example <c>model => CompletionScores.Of(model, rows, sampling).LogProbs</c>.</param>
    public T Ask<T>(Func<CausalLm, T> question)
    {
        ArgumentNullException.ThrowIfNull(question);
        using var mode = no_grad();
        using var without = disable?.Invoke();
        bool training = model.training;
        model.eval();
        try
        {
            return question(model);
        }
        finally
        {
            // The policy itself may be asked in the middle of its own training step.
            if (training)
                model.train();
        }
    }
}
