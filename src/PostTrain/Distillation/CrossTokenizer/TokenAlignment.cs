using PostTrain.Numerics;

namespace PostTrain.Distillation;

/// <summary>Alignment of two tokenisations of one text.</summary>
public static class TokenAlignment
{
    /// <summary>Returns the groups of tokens that stand for the same stretches: a group closes where a token of either model ends at the
    /// same place. What is left over at the end is one more group, which may be empty on one side.</summary>
    /// <remarks>GOLD, as in TRL. Linear in the number of tokens.</remarks>
    /// <param name="student">Offsets of the student's tokens; the ends do not fall.</param>
    /// <param name="teacher">Offsets of the teacher's tokens; the ends do not fall.</param>
    /// <exception cref="ArgumentException">An end is smaller than one before it.</exception>
    public static IReadOnlyList<AlignedGroup> Groups(
        IReadOnlyList<(int Start, int End)> student,
        IReadOnlyList<(int Start, int End)> teacher
    )
    {
        Check(student, nameof(student));
        Check(teacher, nameof(teacher));
        var groups = new List<AlignedGroup>();
        int studentStart = 0,
            teacherStart = 0;
        while (studentStart < student.Count && teacherStart < teacher.Count)
        {
            int i = studentStart,
                j = teacherStart;
            while (i < student.Count && j < teacher.Count && student[i].End != teacher[j].End)
            {
                if (student[i].End < teacher[j].End)
                    i++;
                else
                    j++;
            }
            if (i == student.Count || j == teacher.Count)
                break;
            groups.Add(new AlignedGroup(studentStart, i + 1 - studentStart, teacherStart, j + 1 - teacherStart));
            (studentStart, teacherStart) = (i + 1, j + 1);
        }
        if (studentStart < student.Count || teacherStart < teacher.Count)
            groups.Add(new AlignedGroup(studentStart, student.Count - studentStart, teacherStart, teacher.Count - teacherStart));
        return groups;
    }

    /// <summary>Returns pairs of the i-th tokens, as many as the shorter answer has.</summary>
    public static IReadOnlyList<AlignedGroup> Positional(int student, int teacher)
    {
        Guard.AtLeast(student, 0, nameof(student));
        Guard.AtLeast(teacher, 0, nameof(teacher));
        return [.. Enumerable.Range(0, Math.Min(student, teacher)).Select(i => new AlignedGroup(i, 1, i, 1))];
    }

    private static void Check(IReadOnlyList<(int Start, int End)> offsets, string name)
    {
        ArgumentNullException.ThrowIfNull(offsets, name);
        for (int i = 1; i < offsets.Count; i++)
            if (offsets[i].End < offsets[i - 1].End)
                throw new ArgumentException(
                    $"{name}[{i}] ends at {offsets[i].End}, expected at least {offsets[i - 1].End}, where the token before it ends",
                    name
                );
    }
}
