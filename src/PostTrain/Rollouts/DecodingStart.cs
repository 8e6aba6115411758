using PostTrain.Models;

namespace PostTrain.Rollouts;

/// <summary>The start of a decoding that continues earlier ones, and the holders of its rows' state.</summary>
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

/// <summary>A row of a decoding that gets no further token.</summary>
/// <param name="Row">Number of the prompt.</param>
/// <param name="Place">The row's place in the cache.</param>
/// <param name="First">The cached position of the row's first token, a soft prompt's positions not counted.</param>
internal readonly record struct LeavingRow(int Row, int Place, int First);
