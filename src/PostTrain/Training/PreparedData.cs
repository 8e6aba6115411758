namespace PostTrain.Training;

/// <summary>A data set as batches, without the examples that were left out.</summary>
/// <param name="Batches">Makes a batch of examples by their indices in the data set.</param>
/// <param name="Kept">Indices of the examples that are used.</param>
internal sealed record PreparedData<TBatch>(Func<IReadOnlyList<int>, TBatch> Batches, int[] Kept)
{
    /// <summary>Number of examples that are used.</summary>
    internal int Count => Kept.Length;

    /// <summary>Returns a batch of used examples, by their places among them.</summary>
    internal TBatch Batch(IReadOnlyList<int> places) => Batches([.. places.Select(place => Kept[place])]);
}
