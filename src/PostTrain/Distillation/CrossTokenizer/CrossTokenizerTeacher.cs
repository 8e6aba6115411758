using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Distillation;

/// <summary>A frozen teacher with a vocabulary of its own.</summary>
/// <param name="Model">The teacher.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
public sealed record CrossTokenizerTeacher(CausalLm Model, ITokenizer Tokenizer)
{
    /// <summary>Returns the ids of the tokens that both vocabularies spell alike, for
    /// <see cref="CrossTokenizerObjective.Shared"/>.</summary>
    /// <remarks>Tokens are compared by their texts; those without one, and those of which a text has several, are left out.</remarks>
    /// <param name="student">The student's tokenizer.</param>
    public IReadOnlyList<(int Student, int Teacher)> SharedTokens(ITokenizer student)
    {
        ArgumentNullException.ThrowIfNull(student);
        var (own, other) = (Spellings(student), Spellings(Tokenizer));
        return
        [
            .. own.Where(item => other.ContainsKey(item.Key)).Select(item => (item.Value, other[item.Key])).OrderBy(pair => pair.Item1),
        ];
    }

    private static Dictionary<string, int> Spellings(ITokenizer tokenizer)
    {
        var found = new Dictionary<string, int>(StringComparer.Ordinal);
        var twice = new HashSet<string>(StringComparer.Ordinal);
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            string text = tokenizer.Decode([id]);
            // A part of a character decodes to a replacement mark.
            if (text.Length == 0 || text.Contains('\uFFFD', StringComparison.Ordinal))
                continue;
            if (!found.TryAdd(text, id))
                twice.Add(text);
        }
        foreach (string text in twice)
            found.Remove(text);
        return found;
    }
}
