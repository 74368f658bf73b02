package cli

import (
	"wenlan/internal/app"

	"github.com/spf13/cobra"
)

func (e *env) mergeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "merge N… INTO", Short: "Say that records are the same edition as another", Args: cobra.MinimumNArgs(2),
		Long:    "Records of one edition become one: INTO stands for the others from now on, in\nsearch, browsing and feeds. Nothing of them is lost: their addresses, files and\nidentifiers lead there, and wenlan unmerge takes it back. Two records that were\nmerged and taken apart again are not called duplicates any more; that is how to\nsay that two are not the same.",
		Example: "  wenlan merge 12 40 7      # 12 and 40 are the edition that 7 describes\n  wenlan merge 12 7 && wenlan unmerge 12      # 12 and 7 look alike and are not the same",
		RunE: func(cmd *cobra.Command, args []string) error {
			var numbers []int64
			for _, a := range args {
				n, err := number(a)
				if err != nil {
					return err
				}
				numbers = append(numbers, n)
			}
			last := len(numbers) - 1
			return e.do(cmd, app.Request{Merge: &app.MergeRequest{From: numbers[:last], Into: numbers[last]}})
		},
	}
}

func (e *env) unmergeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unmerge N", Short: "Take a merged record apart again", Args: cobra.ExactArgs(1),
		Long: "N stands for itself again. It and the record that it was merged into are not\ncalled duplicates of one another any more.",
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := number(args[0])
			if err != nil {
				return err
			}
			return e.do(cmd, app.Request{Unmerge: &app.UnmergeRequest{Record: n}})
		},
	}
}
