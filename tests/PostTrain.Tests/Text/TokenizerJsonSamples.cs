using System.Text;
using PostTrain.Text;

namespace PostTrain.Tests.Text;

/// <summary>Small tokenizers of the kinds that the golden files lack.</summary>
internal static class TokenizerJsonSamples
{
    internal static IReadOnlyDictionary<string, byte[]> All { get; } =
        new Dictionary<string, byte[]>
        {
            ["bert"] = Encoding.UTF8.GetBytes(
                """
                {"added_tokens":[{"id":1,"content":"[CLS]","special":true,"normalized":false},{"id":2,"content":"[SEP]","special":true,"normalized":false}],
                 "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
                 "pre_tokenizer":{"type":"BertPreTokenizer"},
                 "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}}],
                  "pair":[{"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}},{"Sequence":{"id":"B","type_id":1}},{"SpecialToken":{"id":"[SEP]","type_id":1}}],
                  "special_tokens":{"[CLS]":{"id":"[CLS]","ids":[1],"tokens":["[CLS]"]},"[SEP]":{"id":"[SEP]","ids":[2],"tokens":["[SEP]"]}}},
                 "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
                 "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":10,
                  "vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"un":3,"##aff":4,"##able":5,"cafe":6,"!":7,"中":8,"play":9,"##ing":10}}}
                """
            ),
            ["unigram"] = Encoding.UTF8.GetBytes(
                """
                {"normalizer":null,"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
                 "decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
                 "model":{"type":"Unigram","unk_id":0,"byte_fallback":false,
                  "vocab":[["<unk>",0],["▁",-2],["a",-1],["b",-1],["c",-1],["d",-1],["cd",-0.5],["ab",-0.6],["abc",-3],["▁ab",-2.5]]}}
                """
            ),
            ["words"] = Encoding.UTF8.GetBytes(
                """
                {"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Whitespace"},{"type":"Digits","individual_digits":true},
                  {"type":"Split","pattern":{"Regex":"-+"},"behavior":"MergedWithNext","invert":false},{"type":"Punctuation","behavior":"Isolated"}]},
                 "post_processor":{"type":"BertProcessing","sep":["</s>",2],"cls":["<s>",1]},
                 "model":{"type":"WordLevel","unk_token":"<unk>","vocab":{"<unk>":0,"<s>":1,"</s>":2,"a":3,"b":4,"1":5,"-":6,"2":7}}}
                """
            ),
            ["suffix"] = Encoding.UTF8.GetBytes(
                """
                {"normalizer":{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"},{"type":"Lowercase"},{"type":"Strip","strip_left":true,"strip_right":true},
                  {"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "}]},
                 "pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":{"type":"BPEDecoder","suffix":"</w>"},
                 "model":{"type":"BPE","unk_token":"<unk>","end_of_word_suffix":"</w>","vocab":{"<unk>":0,"l":1,"o":2,"w":3,"w</w>":4,"lo":5,"low</w>":6,"o</w>":7},"merges":["l o","lo w</w>"]}}
                """
            ),
        };

    internal static TokenizerJson Load(string name, TokenizerConfig? config = null) => TokenizerJson.Parse(All[name], config);
}
