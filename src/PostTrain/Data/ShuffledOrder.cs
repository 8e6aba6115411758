using PostTrain.Numerics;

namespace PostTrain.Data;

/// <summary>The order in which a data set is read: every epoch a new permutation, each a function of the seed and the epoch
/// alone.</summary>
/// <remarks>A position in the endless stream of examples is one number, so that resuming needs nothing else.</remarks>
public sealed class ShuffledOrder
{
    private readonly int[] permutation;
    private readonly ulong seed;
    private long epoch = -1;

    /// <param name="count">Examples in the data set, at least 1.</param>
    /// <param name="seed">Seed of the permutations.</param>
    public ShuffledOrder(int count, ulong seed)
    {
        Guard.AtLeast(count, 1, nameof(count));
        permutation = new int[count];
        this.seed = seed;
    }

    /// <summary>The example at a position of the stream, 0 and up; each run of Count positions is one epoch.</summary>
    public int this[long position]
    {
        get
        {
            Guard.AtLeast(position, 0, nameof(position));
            Turn(position / permutation.Length);
            return permutation[position % permutation.Length];
        }
    }

    // Fisher and Yates' shuffle, drawn from the counters (epoch, place).
    private void Turn(long wanted)
    {
        if (wanted == epoch)
            return;
        for (int i = 0; i < permutation.Length; i++)
            permutation[i] = i;
        for (int i = permutation.Length - 1; i > 0; i--)
        {
            int j = CounterRandom.Below(i + 1, seed, (ulong)wanted, (ulong)i);
            (permutation[i], permutation[j]) = (permutation[j], permutation[i]);
        }
        epoch = wanted;
    }
}
