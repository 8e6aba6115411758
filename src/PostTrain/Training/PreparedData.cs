namespace PostTrain.Training;

/// <summary>A data set as token ids, checked, with whatever is computed of it once.</summary>
internal abstract class PreparedData
{
    /// <summary>Examples.</summary>
    internal abstract int Count { get; }

    /// <summary>Lays out the named examples.</summary>
    internal abstract TrainingBatch Batch(IReadOnlyList<int> indices);
}
