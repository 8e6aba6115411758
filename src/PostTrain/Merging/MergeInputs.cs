using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>What a merge method sees of one name: the models' tensors and the parameters for it.</summary>
public sealed record MergeInputs
{
    /// <summary>Name of the tensor in the merged model.</summary>
    public required string Name { get; init; }

    /// <summary>The base model's tensor, where there is a base that the method treats apart.</summary>
    public Tensor? Base { get; init; }

    /// <summary>The models' tensors, in float32 or float64, without the base's.</summary>
    public required IReadOnlyList<Tensor> Tensors { get; init; }

    /// <summary>Statistics of the models for this name; null where a model has none for it.</summary>
    public IReadOnlyList<Tensor?> Statistics { get; init; } = [];

    /// <summary>Parameters of the whole merge.</summary>
    public MergeParameters Parameters { get; init; } = new();

    /// <summary>Parameters of each model over those of the whole merge; empty where no model has its own.</summary>
    public IReadOnlyList<MergeParameters> ModelParameters { get; init; } = [];

    /// <summary>0 at the first layer to 1 at the last; 0 for the embeddings, 1 for what follows the layers.</summary>
    public double Position { get; init; }

    /// <summary>Whose rules.</summary>
    public Convention Convention { get; init; }

    /// <summary>What random methods draw from.</summary>
    public ulong Seed { get; init; }

    /// <summary>The base's tensor.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public Tensor Origin => Base ?? throw new InvalidOperationException($"there is no base model's tensor for '{Name}'");

    /// <summary>A parameter of the whole merge for this tensor.</summary>
    /// <param name="setting">Picks the parameter.</param>
    /// <param name="otherwise">Its default; NaN where there is none.</param>
    /// <exception cref="InvalidOperationException">It is not given, and has no default.</exception>
    public double Value(Func<MergeParameters, LayerSetting?> setting, double otherwise)
    {
        ArgumentNullException.ThrowIfNull(setting);
        return Of(Parameters, setting, otherwise);
    }

    /// <summary>A parameter of each model for this tensor.</summary>
    /// <param name="setting">Picks the parameter.</param>
    /// <param name="otherwise">Its default; NaN where there is none.</param>
    public double[] Values(Func<MergeParameters, LayerSetting?> setting, double otherwise)
    {
        ArgumentNullException.ThrowIfNull(setting);
        if (ModelParameters.Count > 0 && ModelParameters.Count != Tensors.Count)
            throw new InvalidOperationException($"{ModelParameters.Count} parameters of models are given for {Tensors.Count} tensors");
        return [.. Tensors.Select((_, i) => Of(ModelParameters.Count > 0 ? ModelParameters[i] : Parameters, setting, otherwise))];
    }

    private double Of(MergeParameters parameters, Func<MergeParameters, LayerSetting?> setting, double otherwise)
    {
        var value = setting(parameters)?.At(Name, Position) ?? otherwise;
        return double.IsNaN(value) ? throw new InvalidOperationException($"a parameter of the merge is not given for '{Name}'") : value;
    }
}
