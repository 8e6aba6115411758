using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Losses of logits without the logits of a whole batch: those of some rows at a time, with their gradients at once.</summary>
/// <remarks>
/// A loss that is a sum over parts of a batch needs the logits of one part only. The output projection is a product with a matrix W, so
/// that each part's gradients of states and W are two products, as many as with the logits of all rows. Where the projection is another
/// one, the tensors are not in CPU memory or all rows fit into one part, the logits are made at once.
/// </remarks>
internal static class ChunkedHead
{
    /// <summary>Least positions of a part: so many that its products run at full speed.</summary>
    internal const int Positions = 256;

    /// <summary>The parts of a batch.</summary>
    /// <param name="units">Rows, or groups of rows that belong together.</param>
    /// <param name="positions">Positions of a unit.</param>
    /// <param name="least">Least positions of a part.</param>
    /// <returns>First unit and number of units of each part; one part for no unit.</returns>
    internal static IEnumerable<(int Start, int Count)> Parts(int units, long positions, int least)
    {
        int count = (int)Math.Clamp((least + positions - 1) / Math.Max(positions, 1), 1, Math.Max(units, 1));
        int start = 0;
        do
        {
            yield return (start, Math.Min(count, units - start));
            start += count;
        } while (start < units);
    }

    /// <summary>A loss as the sum of its parts.</summary>
    /// <param name="model">Projects states.</param>
    /// <param name="states">[R,C,D], in the model's graph.</param>
    /// <param name="unitRows">Rows of a unit; those of unit i are i, i + R/unitRows, ...</param>
    /// <param name="share">The share of some units in the loss, of their logits, [unitRows·n,C,V], the first unit and n. It is called
    /// once for all units or once for each part, and its tensors belong to the scope around the call.</param>
    /// <returns>A scalar with a graph through states and W.</returns>
    internal static Tensor Loss(CausalLm model, Tensor states, int unitRows, Func<Tensor, int, int, Tensor> share) =>
        Parts((int)(states.size(0) / unitRows), unitRows * states.size(1), Positions).Skip(1).Any()
        && model.OutputWeight is { } weight
        && Fused.Takes(states, weight)
            ? Loss(states, weight, unitRows, share)
            : share(model.Project(states), 0, (int)(states.size(0) / unitRows));

    /// <summary>A loss as the sum of its parts, of states and the projection's matrix.</summary>
    /// <param name="states">[R,C,D], float32 or float64 in CPU memory.</param>
    /// <param name="weight">W, [V,D].</param>
    /// <param name="unitRows">Rows of a unit.</param>
    /// <param name="share">The share of some units.</param>
    /// <param name="positions">Least positions of a part.</param>
    internal static Tensor Loss(Tensor states, Tensor weight, int unitRows, Func<Tensor, int, int, Tensor> share, int positions = Positions)
    {
        int units = (int)(states.size(0) / unitRows);
        using var scope = NewDisposeScope();
        var records = Fused.Records(states, weight);
        var ofStates = records && states.requires_grad ? empty(states.shape, dtype: states.dtype) : null;
        var ofWeight = records && weight.requires_grad ? zeros(weight.shape, dtype: weight.dtype) : null;
        double loss = 0;
        foreach (var (start, count) in Parts(units, unitRows * states.size(1), positions))
        {
            using var part = NewDisposeScope();
            var ranges = Ranges(unitRows, units, start);
            var rows = Rows(states.detach(), ranges, count);
            var logits = Logits(rows, weight.detach()).requires_grad_(records);
            var value = share(logits, start, count);
            loss += value.ToDouble();
            if (!records || !value.requires_grad)
            {
                Write(ofStates, ranges, count, null);
                continue;
            }
            value.backward();
            using var constant = no_grad();
            var gradient = logits.grad!.reshape(-1, logits.size(-1));
            Write(ofStates, ranges, count, ofStates is null ? null : gradient.mm(weight).view(rows.shape));
            ofWeight?.addmm_(gradient.t(), rows.reshape(-1, rows.size(-1)));
        }
        if (!records)
            return tensor(loss, dtype: states.dtype).MoveToOuterDisposeScope();
        return GivenGradient.Attach(loss, (states, ofStates), (weight, ofWeight)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes a function of the logits of some rows, without a gradient, by the parts of a loss: of the same bits
    /// as there.</summary>
    /// <param name="model">Projects states.</param>
    /// <param name="states">[R,C,D].</param>
    /// <param name="unitRows">Rows of a unit, as of a loss.</param>
    /// <param name="function">Of the logits of some units, [unitRows·n,C,V], the first unit and n: [unitRows·n,...]. The other tensors that
    /// it makes are disposed.</param>
    /// <returns>The results in the order of the rows, [R,...].</returns>
    internal static Tensor Read(CausalLm model, Tensor states, int unitRows, Func<Tensor, int, int, Tensor> function)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        int units = (int)(states.size(0) / unitRows);
        var parts = Parts(units, unitRows * states.size(1), Positions).ToArray();
        if (parts.Length == 1 || model.OutputWeight is not { } weight || !Fused.Takes(states, weight))
            return function(model.Project(states), 0, units).MoveToOuterDisposeScope();
        Tensor? results = null;
        foreach (var (start, count) in parts)
        {
            using var part = NewDisposeScope();
            var ranges = Ranges(unitRows, units, start);
            var found = function(Logits(Rows(states, ranges, count), weight), start, count);
            results ??= found.new_empty([states.size(0), .. found.shape[1..]]).MoveToOuterDisposeScope();
            Write(results, ranges, count, found);
        }
        return results!.MoveToOuterDisposeScope();
    }

    private static long[] Ranges(int unitRows, int units, int start) =>
        [.. Enumerable.Range(0, unitRows).Select(group => (long)group * units + start)];

    private static Tensor Logits(Tensor rows, Tensor weight) =>
        rows.reshape(-1, rows.size(-1)).mm(weight.t()).view(rows.size(0), rows.size(1), weight.size(0));

    /// <summary>The rows of some units of [R,...], as they lie in the logits of a part.</summary>
    internal static Tensor Rows(Tensor values, int unitRows, int start, int count) =>
        Rows(values, Ranges(unitRows, (int)values.size(0) / unitRows, start), count);

    private static Tensor Rows(Tensor values, long[] starts, int count) =>
        count == values.size(0) / starts.Length ? values
        : starts.Length == 1 ? values.narrow(0, starts[0], count)
        : cat([.. starts.Select(start => values.narrow(0, start, count))], 0);

    // Null stands for zeros.
    private static void Write(Tensor? target, long[] starts, int count, Tensor? values)
    {
        for (int i = 0; target is not null && i < starts.Length; i++)
        {
            var rows = target.narrow(0, starts[i], count);
            if (values is null)
                rows.zero_();
            else
                rows.copy_(values.narrow(0, (long)i * count, count));
        }
    }
}
