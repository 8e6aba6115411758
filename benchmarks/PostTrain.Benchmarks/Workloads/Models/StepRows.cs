using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads.Models;

/// <summary>Rows of random token ids, all of one length.</summary>
internal static class StepRows
{
    // Ids below 4 are a tokenizer's marks; those of craftgpt-5m above 1900 are padding of its matrix.
    private const int FirstId = 4,
        PaddedVocabulary = 1920,
        UsedOfPadded = 1900;

    /// <summary>[rows][length] ids.</summary>
    public static int[][] Of(Inputs inputs, int rows, int length, int vocabulary)
    {
        using var ids = inputs.Ids([rows * length], (vocabulary == PaddedVocabulary ? UsedOfPadded : vocabulary) - FirstId);
        return [.. ids.data<long>().ToArray().Select(id => (int)id + FirstId).Chunk(length)];
    }

    /// <summary>Returns the rows with the beginning of one row in others: row i gets that of row <paramref name="source"/>(i).</summary>
    public static int[][] WithPrompts(int[][] rows, int prompt, Func<int, int> source) =>
        [.. rows.Select((row, i) => (int[])[.. rows[source(i)].AsSpan(0, prompt), .. row.AsSpan(prompt)])];
}
