using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>Losses that draw a student to a teacher with another vocabulary.</summary>
public static class CrossTokenizerLosses
{
    // The least probability of a token that a group is multiplied with, and of a shared token: TRL's.
    private const double Least = 1e-8;

    /// <summary>Universal logit distillation: L = mean over answers of the mean over groups of Σ_v |p_(v) − q_(v)|, the probabilities of
    /// each model in falling order, the shorter vocabulary filled with 0.</summary>
    /// <remarks>
    /// ULD, Boizard et al. 2024, arXiv:2402.12030, eq. 4: with positional pairs. GOLD (Hugging Face 2025): groups of tokens of the same
    /// stretches of text (<see cref="TokenAlignment"/>), and with <see cref="CrossTokenizerObjective.Shared"/> tokens w·D(p, q) on those
    /// that both vocabularies have plus w'·(the sorted distance of the others). The distance of two distributions with the same sorted
    /// probabilities is 0, whatever their tokens: use it where few tokens are shared. No gradient flows through the teacher.
    /// </remarks>
    /// <param name="studentLogits">Logits that predict the answers' tokens, all answers end to end, [N,V].</param>
    /// <param name="teacherLogits">The teacher's for its own tokens of the same answers, [M,W].</param>
    /// <param name="student">The student's tokens of each answer; N in all.</param>
    /// <param name="teacher">The teacher's tokens of each answer; M in all.</param>
    /// <param name="options">ULD with the chain rule when null.</param>
    /// <param name="denominator">Number of answers of the whole batch where this is a part of it; the answers given when null.</param>
    /// <exception cref="ArgumentException">Shapes, types, answers or ids do not agree.</exception>
    public static CrossTokenizerLoss Uld(
        Tensor studentLogits,
        Tensor teacherLogits,
        IReadOnlyList<AnswerTokens> student,
        IReadOnlyList<AnswerTokens> teacher,
        CrossTokenizerObjective? options = null,
        double? denominator = null
    )
    {
        options ??= new CrossTokenizerObjective();
        options.Check();
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(teacher);
        if (denominator is { } given)
            Guard.Positive(given, nameof(denominator));
        var groups = new TokenGroups(student, teacher, options.Merge);
        Check(studentLogits, nameof(studentLogits), groups.Student.Positions, student);
        Check(teacherLogits, nameof(teacherLogits), groups.Teacher.Positions, teacher);
        using var scope = NewDisposeScope();
        var device = studentLogits.device;
        var own = Merged(studentLogits, groups.Student, groups.Count, options.StudentTemperature);
        var other = Merged(
            teacherLogits.detach().to(studentLogits.dtype, device),
            groups.Teacher,
            groups.Count,
            options.TeacherTemperature
        );
        var (matched, unmatched, matchedWeight, unmatchedWeight) = Compare(own, other, options);

        var rows = tensor(groups.RowOfGroup, device: device);
        var weights = tensor(groups.Weights, device: device).to_type(own.dtype);
        Tensor Rows(Tensor values) => own.new_zeros(groups.Rows).index_add(0, rows, values * weights, 1);
        var (matchedRows, unmatchedRows) = (Rows(matched), Rows(unmatched));
        var losses = matchedRows * matchedWeight + unmatchedRows * unmatchedWeight;
        return new CrossTokenizerLoss(
            (losses.sum() / (denominator ?? groups.Rows)).MoveToOuterDisposeScope(),
            losses.detach().MoveToOuterDisposeScope(),
            matchedRows.detach().MoveToOuterDisposeScope(),
            unmatchedRows.detach().MoveToOuterDisposeScope()
        );
    }

    // Distributions of the groups, [G,V]: that of the base position, times the probabilities of the group's other tokens.
    private static Tensor Merged(Tensor logits, TokenGroups.Side side, int groups, double temperature)
    {
        var all = logits / temperature;
        var distributions = all.index_select(0, tensor(side.Base.ToArray(), device: logits.device)).softmax(-1);
        if (side.Others.Count == 0)
            return distributions;
        var others = all.index_select(0, tensor(side.Others.ToArray(), device: logits.device)).log_softmax(-1);
        var factors = others
            .gather(1, tensor(side.OtherTokens.ToArray(), device: logits.device).unsqueeze(1))
            .squeeze(1)
            .clamp_min(Math.Log(Least));
        var scale = logits.new_zeros(groups).index_add(0, tensor(side.OtherGroups.ToArray(), device: logits.device), factors, 1).exp();
        return distributions * scale.unsqueeze(1);
    }

    private static (Tensor Matched, Tensor Unmatched, double MatchedWeight, double UnmatchedWeight) Compare(
        Tensor own,
        Tensor other,
        CrossTokenizerObjective options
    )
    {
        if (options.Shared.Count == 0)
            return (own.new_zeros(own.shape[0]), Sorted(own, other), 0, 1);
        long[] ownIds = Ids(options.Shared.Select(pair => pair.Student), own.shape[1], "student"),
            otherIds = Ids(options.Shared.Select(pair => pair.Teacher), other.shape[1], "teacher");
        Tensor Shared(Tensor values, long[] ids) => values.index_select(1, tensor(ids, device: values.device)).clamp_min(Least).log();
        Tensor Rest(Tensor values, long[] ids)
        {
            var taken = ids.ToHashSet();
            long[] left = [.. Enumerable.Range(0, (int)values.shape[1]).Select(id => (long)id).Where(id => !taken.Contains(id))];
            return values.index_select(1, tensor(left, [left.Length], dtype: ScalarType.Int64, device: values.device));
        }
        double share = options.Shared.Count / (double)other.shape[1];
        return (
            options.MatchedDivergence.Between(Shared(own, ownIds), Shared(other, otherIds)),
            Sorted(Rest(own, ownIds), Rest(other, otherIds)),
            options.MatchedWeight ?? share,
            options.UnmatchedWeight ?? 1 - share
        );
    }

    private static Tensor Sorted(Tensor own, Tensor other)
    {
        long width = Math.Max(own.shape[1], other.shape[1]);
        Tensor Falling(Tensor values)
        {
            var sorted = values.sort(-1, descending: true).Values;
            long missing = width - values.shape[1];
            return missing == 0 ? sorted : cat([sorted, sorted.new_zeros(sorted.shape[0], missing)], 1);
        }
        return (Falling(own) - Falling(other)).abs().sum(-1L);
    }

    private static long[] Ids(IEnumerable<int> options, long vocabulary, string whose)
    {
        long[] all = [.. options.Select(id => (long)id)];
        long wrong = all.FirstOrDefault(id => id < 0 || id >= vocabulary, 0);
        if (wrong < 0 || wrong >= vocabulary)
            throw new ArgumentException($"Shared holds the {whose}'s id {wrong}, expected 0 to {vocabulary - 1}", nameof(options));
        return all;
    }

    private static void Check(Tensor logits, string name, long positions, IReadOnlyList<AnswerTokens> answers)
    {
        Guard.Rank(logits, name, 2, "[positions, vocabulary]");
        Guard.Floating(logits, name);
        if (logits.shape[0] != positions)
            throw new ArgumentException(
                $"{name} has shape {Guard.Shape(logits)}, expected {positions} rows, one for each token of the answers",
                name
            );
        long vocabulary = logits.shape[1];
        foreach (var (answer, row) in answers.Select((answer, row) => (answer, row)))
            if (answer.Ids.Any(id => id < 0 || id >= vocabulary))
                throw new ArgumentException($"answer {row} has an id outside 0 to {vocabulary - 1}, the width of {name}", name);
    }
}
