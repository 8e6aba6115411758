#nullable disable

namespace TorchSharp.Modules;

/// <summary>The settings of one group of parameters; null stands for the optimiser's default.</summary>
public class OptimizerOptions
{
    public double? LearningRate { get; set; }

    /// <summary>The learning rate before a schedule changed it.</summary>
    public double InitialLearningRate { get; set; }

    /// <summary>Takes over another's settings.</summary>
    public virtual void LoadStateDict(OptimizerOptions source)
    {
        InitialLearningRate = source.InitialLearningRate;
        LearningRate = source.LearningRate;
    }

    // The other optimiser's settings, where they are of the same kind.
    internal static T Same<T>(object source) where T : class => source as T
        ?? throw new ArgumentException($"source: given {source?.GetType().FullName ?? "null"}, expected {typeof(T).FullName}", nameof(source));
}
