using PostTrain.Numerics;
using PostTrain.Preference;
using PostTrain.Preference.Online;
using PostTrain.Supervised;

namespace PostTrain.Recipes;

/// <summary>Options of <see cref="QwenPipeline"/>.</summary>
public sealed record QwenPipelineOptions : RecipeOptions
{
    /// <summary>Supervised stage.</summary>
    /// <value>The default is <see cref="SftOptions"/>'s: 100 steps.</value>
    public SftOptions Supervised { get; init; } = new();

    /// <summary>Offline preference stage.</summary>
    /// <value>The default is DPO.</value>
    public DpoOptions Offline { get; init; } = new();

    /// <summary>Online preference stage; its reference is the policy after the offline stage.</summary>
    /// <value>The default is online DPO.</value>
    public OnlineDpoOptions Online { get; init; } = new();

    /// <summary>α of <see cref="OnlineMerging"/> in the online stage, 0 to 1; 0 leaves it out.</summary>
    /// <value>The default is 1e-6.</value>
    public double Merging { get; init; } = 1e-6;

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Supervised);
        ArgumentNullException.ThrowIfNull(Offline);
        ArgumentNullException.ThrowIfNull(Online);
        Guard.Fraction(Merging, nameof(Merging));
    }
}
