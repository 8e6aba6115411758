namespace PostTrain.Training.Reports;

/// <summary>The completions of one prompt before and after training.</summary>
/// <param name="Prompt">The prompt.</param>
/// <param name="Before">The completion of the base model.</param>
/// <param name="After">The completion of the trained model.</param>
/// <param name="BeforeVerdict">The verifier's verdict on <paramref name="Before"/>; null for none.</param>
/// <param name="AfterVerdict">The verifier's verdict on <paramref name="After"/>; null for none.</param>
public sealed record CompletionPair(string Prompt, string Before, string After, Verdict? BeforeVerdict = null, Verdict? AfterVerdict = null)
{
    internal void WriteTo(Html html)
    {
        html.Open("article", ("class", "pair"));
        html.Element("pre", Prompt, ("class", "prompt"));
        html.Open("div", ("class", "sides"));
        Side(html, "Before", Before, BeforeVerdict);
        Side(html, "After", After, AfterVerdict);
        html.Close().Close().Line();
    }

    private static void Side(Html html, string title, string text, Verdict? verdict)
    {
        html.Open("div", ("class", "side")).Open("div", ("class", "label")).Element("span", title);
        if (verdict is not null)
            html.Element("span", $"{(verdict.Good ? '✓' : '✗')} {verdict.Text}", ("class", verdict.Good ? "verdict good" : "verdict bad"));
        html.Close();
        if (text.Length == 0)
            html.Element("pre", "(empty)", ("class", "empty"));
        else
            html.Element("pre", text);
        html.Close();
    }
}
