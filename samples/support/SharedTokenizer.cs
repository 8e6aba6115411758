using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>Checks that two models use the same tokenizer.</summary>
public static class SharedTokenizer
{
    private const string Expected =
        "expected the student's tokenizer: distillation compares the models token by token. With another tokenizer a student can "
        + "be trained on texts of the teacher, with samples/experiments/sft.cs";

    /// <summary>Rejects a teacher with different token ids: another vocabulary, or other ids for one of the texts.</summary>
    /// <param name="folder">The teacher's directory.</param>
    /// <param name="student">The student's tokenizer.</param>
    /// <param name="texts">The training texts.</param>
    /// <exception cref="ArgumentException">The tokenizers differ.</exception>
    public static void Check(string folder, ITokenizer student, IEnumerable<MarkedText> texts)
    {
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(texts);
        var teacher = TokenizerFiles.Load(folder);
        if (teacher.VocabularySize != student.VocabularySize || teacher.EndOfSequenceId != student.EndOfSequenceId)
            throw new ArgumentException(
                $"--teacher {folder} has a vocabulary of {teacher.VocabularySize} that ends texts with {Id(teacher)}, the student "
                    + $"one of {student.VocabularySize} that ends them with {Id(student)}; {Expected}"
            );
        foreach (var text in texts)
            if (!Reads(teacher, text, student.Encode(text)))
                throw new ArgumentException(
                    $"--teacher {folder} reads '{text[..Math.Min(40, text.Length)]}' as other token ids than the student; {Expected}"
                );
    }

    private static string Id(ITokenizer tokenizer) => tokenizer.EndOfSequenceId is { } id ? $"id {id}" : "none";

    private static bool Reads(ITokenizer tokenizer, MarkedText text, int[] ids)
    {
        try
        {
            return tokenizer.Encode(text).AsSpan().SequenceEqual(ids);
        }
        catch (ArgumentException)
        {
            // It cannot encode the text.
            return false;
        }
    }
}
