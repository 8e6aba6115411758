using PostTrain.Models;

namespace PostTrain.Search;

/// <summary>Keys and values of rows that left a decoding together, kept for the branches that go on from them.</summary>
internal sealed class BranchBlock(KeyValueCache cache, long used)
{
    /// <summary>The rows; null when they were dropped.</summary>
    public KeyValueCache? Cache { get; private set; } = cache;

    public long Bytes { get; } = cache.Bytes;

    /// <summary>The round that used it last.</summary>
    public long Used { get; set; } = used;

    public void Drop()
    {
        Cache?.Dispose();
        Cache = null;
    }
}
