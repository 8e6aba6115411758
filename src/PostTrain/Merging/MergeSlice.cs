namespace PostTrain.Merging;

/// <summary>Layers of the merged model that follow each other, and the models' layers that they are made of.</summary>
/// <param name="Models">Each with <see cref="MergeModel.Layers"/>, as many as the others.</param>
public sealed record MergeSlice(IReadOnlyList<MergeModel> Models)
{
    /// <summary>Parameters of this slice.</summary>
    public MergeParameters Parameters { get; init; } = new();
}
