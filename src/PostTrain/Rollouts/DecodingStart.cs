using PostTrain.Models;

namespace PostTrain.Rollouts;

/// <summary>Where a decoding begins that goes on from earlier ones, and who keeps what its rows leave behind.</summary>
/// <param name="Cache">Keys and values of all prompt positions but the last, padded on the left as the prompts are, in a cache with room
/// for the batch; null: the prompts are run through the model. The decoding disposes it.</param>
/// <param name="Limits">The most new tokens of each row, at least 1.</param>
/// <param name="Before">For each row, the end of its prompt that belongs to the completion already: decoding rules see it.</param>
/// <param name="Leaving">Told of rows before their keys and values are dropped.</param>
internal sealed record DecodingStart(
    KeyValueCache? Cache,
    IReadOnlyList<int> Limits,
    IReadOnlyList<int[]> Before,
    Action<KeyValueCache, IReadOnlyList<LeavingRow>> Leaving
);
