using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>Whether two models read texts alike.</summary>
public static class SharedTokenizer
{
    private const string Expected =
        "expected the student's tokenizer: distillation compares the models token by token. Across tokenizers a student can learn texts that the teacher wrote, with samples/sft.cs";

    /// <summary>Refuses a teacher whose token ids stand for something else: of another vocabulary, or that reads one of the texts as other
    /// ids.</summary>
    /// <param name="folder">The teacher's directory.</param>
    /// <param name="student">What it is to teach.</param>
    /// <param name="texts">What is learnt.</param>
    /// <exception cref="ArgumentException">The tokenizers differ.</exception>
    public static void Check(string folder, ITokenizer student, IEnumerable<MarkedText> texts)
    {
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(texts);
        var teacher = TokenizerFiles.Load(folder);
        if (teacher.VocabularySize != student.VocabularySize || teacher.EndOfSequenceId != student.EndOfSequenceId)
            throw new ArgumentException(
                $"--teacher {folder} has a vocabulary of {teacher.VocabularySize} that ends texts with {Id(teacher)}, the student one of {student.VocabularySize} that ends them with {Id(student)}; {Expected}"
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
            // It cannot spell the text.
            return false;
        }
    }
}
