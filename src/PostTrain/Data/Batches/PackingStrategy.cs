namespace PostTrain.Data.Batches;

/// <summary>How sequences are put into rows, and what becomes of those that are longer than a row.</summary>
public enum PackingStrategy
{
    /// <summary>Best-fit decreasing; of a longer sequence only the beginning is kept.</summary>
    BestFit,

    /// <summary>Best-fit decreasing; a longer sequence is cut into several.</summary>
    BestFitSplit,

    /// <summary>All sequences are one stream that is cut into rows, across the bounds of sequences.</summary>
    Wrapped,
}
