namespace PostTrain.Distillation;

/// <summary>The aligned groups of a batch of answers as indices into the positions of all answers, laid end to end.</summary>
internal sealed class TokenGroups
{
    private readonly List<long> rows = [];
    private readonly List<double> weights = [];

    internal TokenGroups(IReadOnlyList<AnswerTokens> student, IReadOnlyList<AnswerTokens> teacher, TokenMerge merge)
    {
        if (student.Count != teacher.Count || student.Count == 0)
            throw new ArgumentException(
                $"teacher has {teacher.Count} answers and student {student.Count}, expected as many and at least one",
                nameof(teacher)
            );
        Rows = student.Count;
        (Student, Teacher) = (new Side(student), new Side(teacher));
        for (int row = 0; row < Rows; row++)
        {
            var groups = (student[row].Offsets, teacher[row].Offsets) switch
            {
                ({ } own, { } other) => TokenAlignment.Groups(own, other),
                (null, null) => TokenAlignment.Positional(student[row].Count, teacher[row].Count),
                _ => throw new ArgumentException($"answer {row} has offsets on one side only, expected both or none", nameof(teacher)),
            };
            // A group that one model has alone has nothing to compare, but counts in the mean.
            foreach (var group in groups.Where(group => group is { StudentCount: > 0, TeacherCount: > 0 }))
            {
                Student.Add(row, group.StudentStart, group.StudentCount, rows.Count, merge);
                Teacher.Add(row, group.TeacherStart, group.TeacherCount, rows.Count, merge);
                rows.Add(row);
                weights.Add(1.0 / groups.Count);
            }
        }
    }

    /// <summary>Number of answers.</summary>
    internal int Rows { get; }

    /// <summary>Number of groups with tokens on both sides.</summary>
    internal int Count => rows.Count;

    /// <summary>The answer of each group.</summary>
    internal long[] RowOfGroup => [.. rows];

    /// <summary>One over the number of groups of each group's answer.</summary>
    internal double[] Weights => [.. weights];

    internal Side Student { get; }

    internal Side Teacher { get; }

    /// <summary>One model's positions.</summary>
    internal sealed class Side
    {
        private readonly IReadOnlyList<AnswerTokens> answers;
        private readonly long[] starts;

        internal Side(IReadOnlyList<AnswerTokens> answers)
        {
            this.answers = answers;
            starts = new long[answers.Count];
            for (int row = 0; row < answers.Count; row++)
            {
                ArgumentNullException.ThrowIfNull(answers[row], nameof(answers));
                if (answers[row].Offsets is { } offsets && offsets.Count != answers[row].Count)
                    throw new ArgumentException(
                        $"answer {row} has {offsets.Count} offsets, expected {answers[row].Count}, one a token",
                        nameof(answers)
                    );
                starts[row] = Positions;
                Positions += answers[row].Count;
            }
        }

        /// <summary>Positions of all answers.</summary>
        internal long Positions { get; }

        /// <summary>The position whose distribution stands for the group.</summary>
        internal List<long> Base { get; } = [];

        /// <summary>Positions, tokens and groups of the other tokens.</summary>
        internal List<long> Others { get; } = [];

        internal List<long> OtherTokens { get; } = [];

        internal List<long> OtherGroups { get; } = [];

        internal void Add(int row, int start, int count, int group, TokenMerge merge)
        {
            int chosen = merge == TokenMerge.Observed ? start : start + count - 1;
            Base.Add(starts[row] + chosen);
            for (int token = start; token < start + count; token++)
            {
                if (token == chosen)
                    continue;
                Others.Add(starts[row] + token);
                OtherTokens.Add(answers[row].Ids[token]);
                OtherGroups.Add(group);
            }
        }
    }
}
