using PostTrain.Numerics;

namespace PostTrain.Adapters;

/// <summary>LoRA+ (Hayou et al. 2024, arXiv:2402.12354): B has λ times the learning rate of A, which wide layers need.</summary>
public static class LoraPlus
{
    /// <summary>Returns a function for <see cref="Training.TrainingOptions.LearningRateFactor"/>: λ for LoRA's B matrices, including those
    /// of embeddings, 1 for all other parameters.</summary>
    /// <param name="ratio">λ, above 0; the paper uses 16.</param>
    public static Func<string, double> LearningRateFactor(double ratio = 16)
    {
        Guard.Positive(ratio, nameof(ratio));
        return name =>
            name.EndsWith(".lora_B", StringComparison.Ordinal) || name.EndsWith(".lora_embedding_B", StringComparison.Ordinal) ? ratio : 1;
    }
}
