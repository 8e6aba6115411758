namespace PostTrain.Text.HuggingFace;

/// <summary>A token that is found in the text before the model sees it.</summary>
/// <param name="Content">Its text.</param>
/// <param name="Id">Its id.</param>
/// <param name="SingleWord">Only where no word character stands beside it.</param>
/// <param name="StripsLeft">Takes the white space before it.</param>
/// <param name="StripsRight">Takes the white space after it.</param>
/// <param name="Normalized">Looked for in the normalised text, normalised itself.</param>
/// <param name="Special">Left out when special tokens are skipped.</param>
internal sealed record AddedToken(string Content, int Id, bool SingleWord, bool StripsLeft, bool StripsRight, bool Normalized, bool Special)
{
    internal static AddedToken Read(TokenizerNode node, int id) =>
        new(
            node.Get("content").Text(),
            id,
            node.Flag("single_word", false),
            node.Flag("lstrip", false),
            node.Flag("rstrip", false),
            node.Flag("normalized", true),
            node.Flag("special", false)
        );
}
