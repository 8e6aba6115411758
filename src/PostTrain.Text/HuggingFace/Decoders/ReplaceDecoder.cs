using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Replaces the matches of a pattern in each token.</summary>
internal sealed class ReplaceDecoder(TextPattern pattern, string content) : TokenDecoder
{
    internal override List<string> Apply(List<string> tokens)
    {
        var matches = new List<Match>();
        return tokens.ConvertAll(token =>
        {
            matches.Clear();
            pattern.Find(token, matches);
            if (!matches.Exists(match => match.Found))
                return token;
            var text = new StringBuilder();
            foreach (var match in matches)
                text.Append(match.Found ? content : token.AsSpan(match.Start, match.End - match.Start));
            return text.ToString();
        });
    }
}
